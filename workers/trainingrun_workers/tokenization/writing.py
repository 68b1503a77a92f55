"""Token files in datatrove's format, written a batch of documents at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.tokens.tokenizer import TokenizedFile
from numpy.typing import NDArray

INDEX_TYPE = np.dtype("<u8")


@dataclass(frozen=True)
class Tokens:
    """The ids of some documents with the end of text after each, as they stand in the token file."""

    ids: NDArray[Any]  # little-endian, of the token file's type
    ends: NDArray[np.int64]  # place in `ids` behind each document that ends here


class TokenFile(TokenizedFile):  # type: ignore[misc]
    """datatrove's token file; the ends of documents are kept as arrays, eight bytes each."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._with_index = keywords.pop("save_index", True)  # theirs makes a Python number of each document's end
        super().__init__(*args, save_index=False, **keywords)
        self._ends: list[NDArray[np.uint64]] = []

    def __len__(self) -> int:
        return int(self.write_idx)

    def add(self, tokens: Tokens) -> None:
        """Append the ids, in one write, and remember where documents end."""
        self.tokens_file.write(tokens.ids.tobytes())
        self._ends.append((tokens.ends + self.write_idx).astype(INDEX_TYPE))
        self.write_idx += len(tokens.ids)

    def close(self) -> None:
        """Close `.ds` and write `.index` and `.metadata`."""
        super().close()
        if self._with_index:
            with self.output_folder.open(f"{self.filename}.index", mode="wb") as file:
                for ends in self._ends:
                    file.write(ends.tobytes())


class TokenWriter(DocumentTokenizer):  # type: ignore[misc]
    """datatrove's DocumentTokenizer without shuffling, for documents that are ids already: the same three files."""

    def __init__(self, folder: str, tokenizer_name: str, token_bytes: int) -> None:
        super().__init__(folder, tokenizer_name, shuffle_documents=False)
        self.token_size = token_bytes

    def write_unshuffled(self, data: Iterable[Tokens], filename: str) -> TokenFile:
        """Write `.ds`, `.index` and `.metadata`; on an error the file is closed as it is."""
        file = TokenFile(
            self.output_folder, filename, save_index=self.save_index, upload_block_size=self.upload_block_size,
            tokenizer_name_or_path=self.tokenizer_name_or_path, save_final_metadata=self.save_final_metadata,
            token_size=self.token_size,
        )  # fmt: skip
        try:
            for tokens in data:
                file.add(tokens)
                self.stat_update("tokens", value=len(tokens.ids))
        except BaseException:
            file.tokens_file.close()
            raise
        file.close()
        return file


def with_ends(ids: NDArray[np.uint32], ends: NDArray[np.int64], end_of_text: int, token_type: str) -> Tokens:
    """Put the end of text behind each of the places `ends` in `ids`."""
    places = ends + np.arange(len(ends))
    joined = np.empty(len(ids) + len(ends), token_type)
    text = np.ones(len(joined), bool)
    text[places] = False
    joined[text] = ids
    joined[places] = end_of_text
    return Tokens(joined, places + 1)
