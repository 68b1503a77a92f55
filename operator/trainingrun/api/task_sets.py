"""TASK_SETS: the evaluations of the report by name, each a list of lm-eval tasks with the examples shown before each.

Few-shot numbers are the report's commands': five for MMLU, none where they give none; those of the Portuguese
leaderboard are its own (https://huggingface.co/spaces/eduagarcia/open_pt_llm_leaderboard). ifeval-ita, the exams, the
two assin2 tasks and the classifications are task files of the workers, since lm-eval 0.4.13 has none of them.
"""

from typing import Final, Literal

TaskSet = Literal[
    "en", "it", "es", "fr", "pt", "mmmlu-it", "mmmlu-es", "mmmlu-fr", "mmmlu-pt", "ifeval", "ifeval-it", "evalita",
    "pt-leaderboard",
]  # fmt: skip

TASK_SETS: Final[dict[TaskSet, tuple[tuple[str, int], ...]]] = {
    "en": (("mmlu", 5), ("hellaswag", 0), ("arc_challenge", 0)),
    "it": (("m_mmlu_it", 5), ("hellaswag_it", 0), ("arc_it", 0)),
    "es": (("m_mmlu_es", 5), ("hellaswag_es", 0), ("arc_es", 0)),
    "fr": (("m_mmlu_fr", 5), ("hellaswag_fr", 0), ("arc_fr", 0)),
    "pt": (("m_mmlu_pt", 5), ("hellaswag_pt", 0), ("arc_pt", 0)),
    "mmmlu-it": (("mmmlu_it_it", 5),),
    "mmmlu-es": (("mmmlu_es_la", 5),),
    "mmmlu-fr": (("mmmlu_fr_fr", 5),),
    "mmmlu-pt": (("mmmlu_pt_br", 5),),
    "ifeval": (("ifeval", 0),),
    "ifeval-it": (("ifeval-ita", 0),),
    "evalita": (("evalita-mp", 0),),
    "pt-leaderboard": (
        ("enem_challenge", 3),
        ("bluex", 3),
        ("oab_exams", 3),
        ("assin2_rte_leaderboard", 15),
        ("assin2_sts_leaderboard", 15),
        ("faquad_nli", 15),
        ("hatebr_offensive", 25),
        ("portuguese_hate_speech", 25),
        ("tweetsentbr", 25),
    ),
}
