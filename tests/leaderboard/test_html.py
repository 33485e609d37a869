"""The page: what is in it, and, in a headless Chromium, what it does."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.html import to_html
from mtlbox.leaderboard.tables import build_tables

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason='there is no Chromium (Debian: apt-get install chromium)')

TOOLS = """
const rows = (part) => [...part.querySelectorAll('tbody tr')].filter((row) => row.checkVisibility());
const methods = (part) => rows(part).map((row) => row.cells[0].dataset.value);
const parts = () => [...document.querySelectorAll('.part')].filter((part) => part.checkVisibility());
const pick = (id, value) => { const field = document.getElementById(id); field.value = value;
  field.dispatchEvent(new Event(field.type === 'search' ? 'input' : 'change')); };
const head = (part, column) => part.querySelector(`th[data-column="${column}"]`);
"""


@pytest.fixture(scope='module')
def page() -> str:
    return to_html(build_tables(load_rows()))


def in_browser(page: str, folder: Path, script: str, address: str = '', width: int = 1200, *options: str) -> Any:
    """Open the page, run the body of a function in it, and return what that returns."""
    run = f"""<script>{TOOLS}
      const failed = [];
      addEventListener('error', (event) => failed.push(event.message));
      setTimeout(() => {{
        let found;
        try {{ found = (() => {{ {script} }})(); }} catch (error) {{ found = 'error: ' + error; }}
        const out = document.createElement('pre');
        out.id = 'found';
        out.textContent = JSON.stringify(failed.length ? failed : found);
        document.body.append(out);
      }}, 50);</script></body>"""
    path = folder / 'page.html'
    path.write_text(page.replace('</body>', run), encoding='utf-8')
    command = [
        str(CHROMIUM), '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={folder / "profile"}',
        f'--window-size={width},900', '--virtual-time-budget=3000', *options, '--dump-dom', f'{path.as_uri()}{address}',
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


def test_page_needs_no_network(page: str) -> None:
    assert set(re.findall(r'https?://[\w./]*', page)) == {'http://www.w3.org/2000/svg'}
    assert not re.search(r'<(script|img|iframe)[^>]*\ssrc=|<link[^>]*href="(?!data:)|@import|url\(|fetch\(', page)


def test_page_is_well_formed_and_reads_without_javascript(page: str) -> None:
    void = {'meta', 'link', 'input', 'br'}

    class Parser(HTMLParser):
        open: list[str] = []  # noqa: RUF012
        ids: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attributes: list) -> None:
            self.ids.extend(value for key, value in attributes if key == 'id')
            if tag not in void:
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Parser()
    parser.feed(page)
    assert parser.open == [] and len(parser.ids) == len(set(parser.ids))
    body = page[: page.index('<script')]
    assert body.count('<tr data-place') == sum(
        len(section.lines) for table in build_tables(load_rows()) for section in table.sections
    )
    assert '<form id="controls" hidden' in body
    assert '{{' not in body


def test_names_are_escaped() -> None:
    from dataclasses import replace

    row = next(row for row in load_rows() if row.dataset == 'nyuv2-13')
    evil = replace(row, method='</script><b onload="x">', ours=True, note='<i>')
    page = to_html(build_tables([evil]))
    assert '<b onload' not in page and '<i>' not in page and page.count('</script>') == 2


@needs_chromium
def test_page_sorts_filters_and_plots(page: str, tmp_path: Path) -> None:
    found = in_browser(
        page,
        tmp_path,
        """
        const found = {};
        found.hidden = document.querySelectorAll('#controls[hidden], #plot[hidden]').length;
        found.ablations = [...document.querySelectorAll('section.table')]
          .some((section) => section.dataset.study && section.checkVisibility());
        pick('dataset', 'nyuv2-13');
        pick('backbone', 'HRNet-W18-small-v2');
        const [part] = parts();
        found.parts = parts().length;
        found.printed = methods(part);
        head(part, 'depth/relErr').querySelector('button').click();
        found.byError = methods(part);
        found.aria = head(part, 'depth/relErr').getAttribute('aria-sort');
        head(part, 'delta_m').querySelector('button').click();
        found.byGain = methods(part);
        head(part, 'delta_m').querySelector('button').click();
        found.worstFirst = methods(part);
        found.address = location.hash;
        head(part, 'delta_m').querySelector('button').click();
        found.again = methods(part);
        pick('q', 'ctal (');
        found.searched = methods(part);
        found.count = document.getElementById('count').textContent;
        pick('q', '');
        found.dots = document.querySelectorAll('#chart .dot').length;
        found.words = [...document.querySelectorAll('#chart .dot')].map((dot) => dot.getAttribute('aria-label'));
        pick('x', 'macs');
        found.dotsOfMacs = document.querySelectorAll('#chart .dot').length;
        document.querySelector('#chart .dot').focus();
        found.told = document.getElementById('point').textContent;
        pick('y', 'depth/relErr');
        found.caption = document.getElementById('caption').textContent;
        pick('q', 'no such method');
        found.none = [parts().length, document.getElementById('count').textContent];
        return found;
        """,
    )
    assert isinstance(found, dict), found
    order = ['STL', 'MTL', 'PAD-Net', 'PAP-Net', 'Concat', 'CTAL (single scale)', 'MTI-Net', 'CTAL (multi-scale)']
    assert (found['hidden'], found['ablations'], found['parts']) == (0, False, 1)
    assert found['printed'] == found['again'] == order
    assert found['byError'][:2] == ['CTAL (multi-scale)', 'MTI-Net'] and found['byError'][-1] == 'MTL'
    assert found['aria'] == 'ascending'
    assert found['byGain'][:3] == ['CTAL (multi-scale)', 'MTI-Net', 'CTAL (single scale)']
    assert found['worstFirst'][0] == 'MTL' and found['worstFirst'][-1] == found['byGain'][-1] == 'STL'  # STL has none
    assert 'dataset=nyuv2-13' in found['address'] and 'sort=delta_m' in found['address']
    assert found['searched'] == ['CTAL (single scale)', 'CTAL (multi-scale)'] and found['count'] == '2 rows'
    assert found['dots'] == 7 and any('CTAL (multi-scale)' in words and '4.76' in words for words in found['words'])
    assert found['dotsOfMacs'] == 6 and 'MTL' in found['told'] and 'MACs' in found['told']
    assert 'depth/relErr against MACs (G), 6 rows' in found['caption']
    assert found['none'] == [0, '0 rows']


@needs_chromium
def test_page_fits_a_phone_in_the_dark_and_opens_at_an_address(page: str, tmp_path: Path) -> None:
    found = in_browser(
        page,
        tmp_path,
        """
        const style = getComputedStyle(document.body);
        const small = [...document.querySelectorAll('#controls button, #controls select, .choices select')]
          .filter((field) => field.getBoundingClientRect().height < 44).length;
        const named = [...document.querySelectorAll('input, select, button, .scroll, #chart .dot')].filter((field) =>
          !(field.labels?.length || field.textContent.trim() || field.getAttribute('aria-label'))).length;
        return {width: innerWidth, overflow: document.documentElement.scrollWidth - innerWidth, small, unnamed: named,
          background: style.backgroundColor, first: methods(parts()[0])[0], count: parts().length,
          chart: document.getElementById('chart').getBoundingClientRect().width,
          y: document.getElementById('y').value};
        """,
        '#dataset=pascal&backbone=Swin-T&sort=-human_parts%2FmIoU&y=saliency%2FmaxF',
        390,
        '--blink-settings=preferredColorScheme=0',
    )
    assert isinstance(found, dict), found
    assert found['width'] <= 500 and found['overflow'] <= 0 and found['chart'] <= found['width']
    assert found['small'] == 0 and found['unnamed'] == 0
    assert found['background'] == 'rgb(20, 23, 27)'
    assert (found['first'], found['count']) == ('TIF', 1)
