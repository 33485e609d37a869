# What VTAGML states of its trainings on every data set: cross-entropy, L1 for normals and edges, pictures
# of one fixed size, random zoom, flips, mild changes of colour. Ours: the weights (the paper says a linear
# combination), plain L1 for depth (its "rotated loss" is not here), the zoom as one of up to 1.41 (depth divided by
# it) of a picture brought to size first, all sizes but that of Taskonomy, and the protocols of the scores, none of
# which are stated. Published scores may be of other definitions.
weighting = dict(type='FixedWeighting', weights=dict(semseg=1.0, depth=1.0, normals=1.0))
data_preprocessor = dict(
    type='MultiTaskDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    channels_last=False,
)
photometric = dict(type='PhotometricDistortion', brightness=51, contrast=0.2, saturation=0.2, hue=36)
