# python tools/train.py configs/ctal/ctal_hrnet18_nyud.py
# The name that users know for configs/ctal/ctal_hrnet18_nyuv2-13.py; see there for the published numbers.
_base_ = './ctal_hrnet18_nyuv2-13.py'
