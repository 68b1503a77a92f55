from pathlib import Path

from building.secret_files import certificates, pip_configuration, proxies, write

LISTED = """\
:env:.disable-pip-version-check='1'
:env:.find-links='/opt/wheels'
global.cert='/etc/ssl/some.crt'
global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'
global.index-url='https://packages.example/simple'
"""


def test_a_build_learns_where_packages_come_from_and_nothing_else() -> None:
    assert pip_configuration(LISTED, with_certificates=True) == (
        "[global]\n"
        "extra-index-url = https://a.example/simple\n    https://b.example/simple\n"
        "index-url = https://packages.example/simple\n"
        "cert = /run/secrets/ca\n"
    )


def test_without_certificates_of_its_own_pip_uses_those_it_brings() -> None:
    assert "cert" not in pip_configuration(LISTED, with_certificates=False)


def test_a_bundle_that_no_secret_has_room_for_is_left_out(tmp_path: Path) -> None:
    large, small = tmp_path / "large.crt", tmp_path / "small.crt"
    large.write_bytes(b"x" * 600_000)
    small.write_bytes(b"x")
    assert certificates({"PIP_CERT": str(large), "SSL_CERT_FILE": str(small)}) == small
    assert certificates({"PIP_CERT": str(tmp_path / "gone"), "SSL_CERT_FILE": str(small)}) == small


def test_proxies_are_passed_in_lower_case_and_only_where_they_are_set() -> None:
    environment = {"HTTPS_PROXY": "http://127.0.0.1:1", "no_proxy": "localhost", "http_proxy": ""}
    assert proxies(environment) == {"https_proxy": "http://127.0.0.1:1", "no_proxy": "localhost"}


def test_every_secret_is_a_file_that_a_build_can_take(tmp_path: Path) -> None:
    for path in write(tmp_path).values():
        assert path.is_file()
        assert path.stat().st_size <= 500 * 1024
