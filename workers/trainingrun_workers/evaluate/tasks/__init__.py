"""Tasks that lm-eval 0.4.13 lacks: YAML files, and the functions that they name.

The functions are plain Python without heavy imports. Each YAML file says where its definition comes from, and under
`metadata` which revision of its data set on the Hugging Face hub it was written for.
"""

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
