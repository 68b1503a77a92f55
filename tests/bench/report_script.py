"""The way the report tokenizes: datatrove's own steps, one task. `report_script.py TEXTS OUTPUT TOKENIZER END LOGS`.

Run by the datatrove image's interpreter; imports nothing of this project, so that it is what anybody would write.
"""

import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.tokens import DocumentTokenizer

if __name__ == "__main__":
    texts, output, tokenizer, end_of_text, logs = sys.argv[1:]
    LocalPipelineExecutor(
        pipeline=[
            ParquetReader(texts, text_key="text", glob_pattern="*.parquet"),
            DocumentTokenizer(
                output_folder=output, tokenizer_name_or_path=tokenizer, eos_token=end_of_text, shuffle_documents=False
            ),
        ],
        tasks=1, workers=1, logging_dir=logs,
    ).run()  # fmt: skip
