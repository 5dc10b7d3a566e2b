"""Random numbers from explicit keys: the same key gives the same numbers, anywhere.

    key = gx.random.key(0)
    key, subkey = gx.random.split(key)
    x = gx.random.normal(subkey, (3, 4))

Nothing is global. A key is data, a uint64 array of shape (2,), so it can be saved,
put into a tree, or made an input of a compiled step. Use a key for one thing only:
`split` it or `fold_in` a counter to get others.
"""

from gradx.random.categorical import categorical as categorical
from gradx.random.draws import bernoulli as bernoulli
from gradx.random.draws import integers as integers
from gradx.random.draws import normal as normal
from gradx.random.draws import permutation as permutation
from gradx.random.draws import uniform as uniform
from gradx.random.keys import fold_in as fold_in
from gradx.random.keys import key as key
from gradx.random.keys import split as split
