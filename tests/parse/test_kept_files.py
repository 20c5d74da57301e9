"""What is read of kept queue files: ours alone, whatever else lies there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailtop.parse.kept_files import RECEIPT, kept_files

KEPT = b"/var/spool/postfix/mailtop-kept"


def test_what_is_not_a_receipts_folder_with_an_id_in_it_is_left_out() -> None:
    lines = (
        b"1795508498 545 1 " + KEPT + b"/r19a-1/4jYbPZ67MTzF1q0",
        b"1795508498 545 1 " + KEPT + b"/notes/4jYbPZ67MTzF1q0",
        b"1795508498 545 1 " + KEPT + b"/r19a-1/../x",
        b"1795508498 545 1 " + KEPT + b"/r19a-1/-rf",
        b"stat: cannot stat",
        b"",
    )

    (file,) = kept_files(b"\n".join(lines))

    assert (file.receipt, file.id, file.size, file.links) == ("r19a-1", "4jYbPZ67MTzF1q0", 545, 1)


@given(st.binary(max_size=300))
def test_no_bytes_make_a_path_outside_of_a_receipts_folder(said: bytes) -> None:
    for file in kept_files(said):
        assert RECEIPT.fullmatch(file.receipt)
        assert file.id.isalnum()
