"""The half that computes with torch: base models, their fine-tuning, and the capture of what they say."""

import logging

# Where bitsandbytes is installed, peft imports it, needed or not. It then tells of every cast to the float16 of
# LLM.int8, and on CPUs with AVX-512-BF16 of a package that would be faster: nothing that a user must know.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
