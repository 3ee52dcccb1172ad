"""The tests of `guest/` are for the virtual machine alone: others do not collect them."""

import os

collect_ignore = [] if "AMPTALK_VM" in os.environ else ["guest"]
