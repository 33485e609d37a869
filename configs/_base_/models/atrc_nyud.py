# A model of ATRC's protocol on NYUD, but for its backbone, neck and heads; the rate is that of transformers on NYUD.
_base_ = [
    '../protocols/atrc_nyud.py',
    '../schedules/sgd_40k_poly.py',
    '../iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
