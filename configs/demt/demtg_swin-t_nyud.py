# python tools/train.py configs/demt/demtg_swin-t_nyud.py
#
# DeMTG, the variant with a gate, as its released code has it: two blocks in each mixer, two heads, a gated MLP that all
# tasks share. Swin-T, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Nothing is published for it that was read for this config.
_base_ = './demt_swin-t_nyud.py'
model = dict(neck=dict(depth=2, num_heads=2, gated_channels=512))
