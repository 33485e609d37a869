_base_ = './atrc_pascal.py'
# What the transformer half of CTAL does on PASCAL-Context: ATRC's pictures and losses, epochs over all training images,
# and scores of its own; that of boundaries is a loss.
train_dataloader = dict(sampler=dict(type='DefaultSampler'))
val_evaluator = dict(
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-skipped'),
        dict(type='SegMetric', task='human_parts', protocol='persons-absent-skipped'),
        dict(type='SaliencyMetric', task='saliency', protocol='atrc'),
        dict(type='NormalsMetric', task='normals', protocol='arccos'),
        dict(type='BoundaryLossMetric', task='boundary', protocol='ctal-edge-loss'),
    ],
    primary=dict(semseg='mIoU', human_parts='mIoU', saliency='maxF', normals='mErr', boundary='edgeLoss'),
)
test_evaluator = val_evaluator
