# What ATRC and the papers that build on its code (DeMT, TIF, ...) do on every data set: ImageNet's mean and deviation,
# zoom by 0.5 to 2 (depth divided by it), a crop in which no class fills more than 75 %, flips, changes of colour,
# padding after normalisation; at test time nothing but padding.
# Ours differs in three places: pictures are reduced by area, normals resampled linearly and brought to unit length
# (ATRC: linear, nearest), and padding goes to the bottom and right (ATRC: to all sides).
# A hue of 36 degrees is 18 of OpenCV's steps. For batch norm over all ranks, as published: --cfg-options sync_bn=torch
photometric = dict(type='PhotometricDistortion', brightness=32, contrast=0.5, saturation=0.5, hue=36)
test_pipeline = [dict(type='PackMultiTaskInputs')]
