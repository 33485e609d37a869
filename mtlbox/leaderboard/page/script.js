'use strict';
// Sorts, filters and plots the tables that are in the page already. Its state is in the address, so a view can be shared.
(() => {
  const byId = (id) => document.getElementById(id);
  const tables = JSON.parse(byId('data').textContent);
  const sections = [...document.querySelectorAll('section.table')];
  const fields = ['q', 'dataset', 'backbone', 'studies', 'table', 'x', 'y'];
  const SVG = 'http://www.w3.org/2000/svg';
  let sort = null; // {column, down}

  const element = (name, attributes = {}, text = '') => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };
  const option = (value, text) => new Option(text, value);
  const unique = (values) => [...new Set(values)];
  const value = (row, column) => {
    if (column === 'params' || column === 'macs') return row[column];
    if (column === 'delta_m') return row.delta_m ?? row.delta_m_printed;
    return row.scores[column] ?? null;
  };
  const name = (row) => row.method + (row.variant ? ', ' + row.variant : '');

  // -- filters -------------------------------------------------------------------------------------------------------
  function filter() {
    const q = byId('q').value.trim().toLowerCase();
    const dataset = byId('dataset').value, backbone = byId('backbone').value, studies = byId('studies').checked;
    let count = 0;
    for (const section of sections) {
      const wanted = (!dataset || section.dataset.dataset === dataset) && (studies || !section.dataset.study);
      let inSection = 0;
      for (const part of section.querySelectorAll('.part')) {
        let inPart = 0;
        for (const row of part.querySelectorAll('tbody tr')) {
          const found = wanted && (!backbone || part.dataset.backbone === backbone)
            && (!q || row.dataset.text.includes(q));
          row.hidden = !found;
          inPart += found;
        }
        part.hidden = !inPart;
        inSection += inPart;
      }
      section.hidden = !inSection;
      count += inSection;
    }
    byId('count').textContent = count === 1 ? '1 row' : count + ' rows';
  }

  // -- sorting -------------------------------------------------------------------------------------------------------
  function arrange() {
    for (const table of document.querySelectorAll('.part table')) {
      const heads = [...table.tHead.rows[0].cells];
      const place = sort ? heads.findIndex((head) => head.dataset.column === sort.column) : -1;
      heads.forEach((head, i) => {
        if (head.dataset.column) head.setAttribute('aria-sort', i !== place ? 'none' : sort.down ? 'descending' : 'ascending');
      });
      const body = table.tBodies[0];
      const key = (row) => place < 0 ? +row.dataset.place : row.cells[place].dataset.value;
      const order = (a, b) => {
        const one = key(a), other = key(b);
        if (place < 0) return one - other;
        if (one === '' || other === '') return (one === '') - (other === '') || a.dataset.place - b.dataset.place;
        const difference = heads[place].dataset.column === 'method' ? one.localeCompare(other) : one - other;
        return (sort.down ? -difference : difference) || a.dataset.place - b.dataset.place;
      };
      body.append(...[...body.rows].sort(order));
    }
  }
  function clicked(head) {
    const first = head.dataset.better === 'high'; // a first click brings the best to the top
    if (!sort || sort.column !== head.dataset.column) sort = {column: head.dataset.column, down: first};
    else if (sort.down === first) sort.down = !first;
    else sort = null;
    arrange();
    remember();
  }

  // -- plot ----------------------------------------------------------------------------------------------------------
  const points = (table, x, y) => table.sections.flatMap((section) => section.rows
    .map((row) => ({row, backbone: section.backbone, x: value(row, x), y: value(row, y)}))
    .filter((point) => point.x != null && point.y != null));
  const heights = (table) => ['delta_m', ...table.columns];
  const isDrawable = (table) => !table.study && heights(table).some((y) => points(table, 'params', y).length > 1);

  function offerTables() {
    const select = byId('table'), before = select.value, dataset = byId('dataset').value;
    const places = [...tables.keys()].filter((i) => isDrawable(tables[i]) && (!dataset || tables[i].dataset === dataset));
    select.replaceChildren(...places.map((i) => option(String(i), tables[i].title)));
    const most = (i) => Math.max(...heights(tables[i]).map((y) => points(tables[i], 'params', y).length));
    const best = places.reduce((a, b) => (a < 0 || most(b) > most(a) ? b : a), -1);
    select.value = places.includes(+before) && before !== '' ? before : String(best);
    byId('plot').hidden = !places.length;
    offerHeights();
  }
  function offerHeights() {
    const table = tables[+byId('table').value];
    if (!table) return;
    const select = byId('y'), before = select.value;
    const there = heights(table).filter((y) => points(table, 'params', y).length > 1);
    select.replaceChildren(...there.map((y) => option(y, y)));
    select.value = there.includes(before) ? before : there[0];
    draw();
  }
  function ticks(low, high, isLog) {
    if (isLog) {
      const found = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
        for (const digit of [1, 2, 5]) {
          const tick = digit * 10 ** power;
          if (tick >= low && tick <= high) found.push(tick);
        }
      }
      return found;
    }
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
    const found = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step) found.push(+tick.toPrecision(6));
    return found;
  }
  function scale(values, from, to, mayBeLog) {
    let low = Math.min(...values), high = Math.max(...values);
    const isLog = mayBeLog && low > 0 && high / low > 10;
    const pad = isLog ? 1.15 : (high - low || Math.abs(high) || 1) * 0.08;
    [low, high] = isLog ? [low / pad, high * pad] : [low - pad, high + pad];
    const bend = isLog ? Math.log : (v) => v;
    const at = (v) => from + (bend(v) - bend(low)) / (bend(high) - bend(low)) * (to - from);
    return {at, ticks: ticks(low, high, isLog)};
  }
  function symbol(index, x, y) {
    const colour = `var(--c${index % 8})`, r = 7;
    const shapes = [
      ['circle', {cx: x, cy: y, r}],
      ['rect', {x: x - r + 1, y: y - r + 1, width: 2 * r - 2, height: 2 * r - 2}],
      ['polygon', {points: `${x},${y - r} ${x + r},${y + r - 1} ${x - r},${y + r - 1}`}],
      ['polygon', {points: `${x},${y - r - 1} ${x + r + 1},${y} ${x},${y + r + 1} ${x - r - 1},${y}`}],
    ];
    const [kind, attributes] = shapes[index % shapes.length];
    return element(kind, {...attributes, fill: colour});
  }
  function draw() {
    const table = tables[+byId('table').value], x = byId('x').value, y = byId('y').value, chart = byId('chart');
    if (!table) return;
    const kept = points(table, x, y).filter((p) => !byId('backbone').value || p.backbone === byId('backbone').value);
    const width = Math.max(300, Math.round(chart.parentElement.clientWidth)), height = width < 560 ? 300 : 420;
    const left = 56, right = 16, top = 12, bottom = 44;
    chart.replaceChildren();
    chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
    byId('point').textContent = '';
    byId('key').replaceChildren();
    const xName = byId('x').selectedOptions[0].text;
    byId('caption').textContent = kept.length
      ? `${table.title}: ${y} against ${xName}, ${kept.length} rows that have both.`
        + (kept.some((p) => p.row.ours) ? ' Ours are outlined.' : '')
        + (y === 'delta_m' ? ' Each backbone is compared with its own single-task baseline.' : '')
      : `${table.title}: no row has both ${y} and ${xName}.`;
    if (!kept.length) return;
    const across = scale(kept.map((p) => p.x), left, width - right, true);
    const up = scale(kept.map((p) => p.y), height - bottom, top, false);
    for (const tick of across.ticks) {
      const at = across.at(tick);
      chart.append(element('line', {class: 'axis', x1: at, x2: at, y1: top, y2: height - bottom}));
      chart.append(element('text', {x: at, y: height - bottom + 16, 'text-anchor': 'middle'}, String(tick)));
    }
    for (const tick of up.ticks) {
      const at = up.at(tick);
      chart.append(element('line', {class: 'axis', x1: left, x2: width - right, y1: at, y2: at}));
      chart.append(element('text', {x: left - 6, y: at + 4, 'text-anchor': 'end'}, String(tick)));
    }
    chart.append(element('text', {x: (left + width - right) / 2, y: height - 8, 'text-anchor': 'middle'}, xName));
    chart.append(element('text', {x: 12, y: height / 2, 'text-anchor': 'middle',
      transform: `rotate(-90 12 ${height / 2})`}, y));
    const backbones = unique(kept.map((p) => p.backbone)), taken = [];
    for (const point of kept) {
      const px = across.at(point.x), py = up.at(point.y);
      taken.push([px - 8, py - 8, px + 8, py + 8]);
      const words = `${name(point.row)} (${point.backbone}): ${y} ${point.y.toPrecision(4)}, ${xName} ${point.x.toPrecision(4)}`;
      const dot = symbol(backbones.indexOf(point.backbone), px, py);
      dot.setAttribute('class', point.row.ours ? 'dot ours' : 'dot');
      dot.setAttribute('tabindex', '0');
      dot.setAttribute('role', 'img');
      dot.setAttribute('aria-label', words);
      dot.append(element('title', {}, words));
      for (const event of ['focus', 'mouseenter', 'click']) {
        dot.addEventListener(event, () => { byId('point').textContent = words; });
      }
      chart.append(dot);
    }
    for (const point of kept) { // a name beside each point where there is room for it
      const px = across.at(point.x), py = up.at(point.y), text = name(point.row), long = text.length * 7;
      for (const [dx, dy, anchor] of [[11, 4, 'start'], [-11, 4, 'end'], [0, -12, 'middle'], [0, 22, 'middle']]) {
        const start = px + dx - {start: 0, middle: long / 2, end: long}[anchor];
        const box = [start, py + dy - 11, start + long, py + dy + 3];
        const inside = box[0] > left && box[2] < width - right && box[1] > top && box[3] < height - bottom;
        const free = taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
        if (inside && free) {
          chart.append(element('text', {x: px + dx, y: py + dy, 'text-anchor': anchor, 'aria-hidden': 'true'}, text));
          taken.push(box);
          break;
        }
      }
    }
    backbones.forEach((backbone, index) => {
      const item = document.createElement('li'), icon = element('svg', {viewBox: '0 0 18 18', 'aria-hidden': 'true'});
      icon.append(symbol(index, 9, 9));
      item.append(icon, ' ' + backbone);
      byId('key').append(item);
    });
  }

  // -- state ---------------------------------------------------------------------------------------------------------
  function remember() {
    const state = new URLSearchParams();
    for (const id of fields) {
      const field = byId(id), text = field.type === 'checkbox' ? (field.checked ? '1' : '') : field.value;
      if (text && !(id === 'x' && text === 'params')) state.set(id, text);
    }
    if (sort) state.set('sort', (sort.down ? '-' : '') + sort.column);
    history.replaceState(null, '', '#' + state);
  }
  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const id of ['q', 'dataset', 'backbone', 'x']) if (state.has(id)) byId(id).value = state.get(id);
    byId('studies').checked = state.has('studies');
    const column = state.get('sort');
    sort = column ? {column: column.replace(/^-/, ''), down: column.startsWith('-')} : null;
    offerTables();
    for (const id of ['table', 'y']) {
      if (state.has(id) && [...byId(id).options].some((o) => o.value === state.get(id))) byId(id).value = state.get(id);
      if (id === 'table') offerHeights();
    }
  }
  function all() { filter(); arrange(); draw(); }

  byId('dataset').append(...unique(tables.map((t) => t.dataset)).map((d) => option(d, d)));
  byId('backbone').append(...unique(tables.flatMap((t) => t.sections.map((s) => s.backbone))).map((b) => option(b, b)));
  for (const head of document.querySelectorAll('th[data-column]')) {
    head.querySelector('button').addEventListener('click', () => clicked(head));
  }
  byId('q').addEventListener('input', () => { filter(); remember(); });
  byId('studies').addEventListener('change', () => { filter(); remember(); });
  byId('backbone').addEventListener('change', () => { filter(); draw(); remember(); });
  byId('dataset').addEventListener('change', () => { filter(); offerTables(); remember(); });
  byId('table').addEventListener('change', () => { offerHeights(); remember(); });
  for (const id of ['x', 'y']) byId(id).addEventListener('change', () => { draw(); remember(); });
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  byId('controls').addEventListener('reset', () => setTimeout(() => { sort = null; offerTables(); all(); remember(); }));
  addEventListener('hashchange', () => { recall(); all(); });
  addEventListener('resize', draw);
  byId('controls').hidden = false;
  byId('plot').hidden = false;
  recall();
  all();
})();
