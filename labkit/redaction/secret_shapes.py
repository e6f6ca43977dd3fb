"""Find secrets by their shape: keys, tokens, URLs with a password, command lines, headers."""

import re

REMOVED = "(removed)"

_HOST = r"(?:\[[0-9a-fA-F:.]+\]|[\w-]+(?:\.[\w-]+)*)"
# exclude an @ that does not belong to an address: a digest, a Java object, an offset
_NOT_AN_ADDRESS = r"(?!sha(?:256|384|512):|[0-9a-f]{5,8}(?![\w.:-])|\d+(?![\w.]))"
_LOCAL = r"(?!(?:localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[^\]]*\])(?::\d{1,5})?(?:[/?#]|$))"
_SQL_TEXT = r"(?:'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")"
_ARGUMENT = r"(?:'[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"|[^\s'\"]\S*)"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)", re.S),
        REMOVED,
    ),
    (re.compile(r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}"), REMOVED),
    # scheme://user:pass@word/with/slashes@host: up to the last @ of the word; scheme://token@host
    (re.compile(rf"(?<=://){_LOCAL}[^\s/@:'\"<>]{{0,200}}:[^\s'\"<>]{{0,200}}@{_NOT_AN_ADDRESS}"), f"{REMOVED}@"),
    (re.compile(rf"(?<=://)[^\s/@'\"<>]{{1,400}}@{_NOT_AN_ADDRESS}"), f"{REMOVED}@"),
    # user:password@host without a scheme
    (
        re.compile(
            rf"(?<![\w/.@:$-])(?!mailto:|voters:)[\w.%+-]{{1,200}}:(?!\s|//)[^\s'\"<>]{{0,400}}[^\s'\"<>:/]@{_NOT_AN_ADDRESS}(?={_HOST})"
        ),
        f"{REMOVED}@",
    ),
    # URL parameters: ?sig=…&token=…
    (
        re.compile(r"(?i)([?&][\w.-]*(?:token|key|secret|sig|signature|passw(?:or)?d|pwd|pass|auth|credential|code)[\w.-]*=)[^\s&#'\"]+"),
        rf"\1{REMOVED}",
    ),
    (
        re.compile(r"\b((?i:bearer|basic|negotiate|apikey|token))(\s+)(?=[A-Za-z0-9._~+/=-]*[0-9A-Z_=])[A-Za-z0-9._~+/=-]{8,}"),
        rf"\1\2{REMOVED}",
    ),
    # programs and their options
    (
        re.compile(
            rf"(?i)((?:^|\s)--?(?:[\w-]*(?:password|passwd|passphrase|token|secret|api-?key|requirepass|masterauth)|pass)[= ]){_ARGUMENT}"
        ),
        rf"\1{REMOVED}",
    ),
    (re.compile(r"(\b(?:mysql|mariadb)[\w-]*\b(?:[^\n|;&]{0,300}?\s)-p)(?=\S)(?:'[^'\n]*'|\"[^\"\n]*\"|\S+)"), rf"\1{REMOVED}"),
    (
        re.compile(rf"(\b(?:sshpass|docker login|podman login|redis-cli|skopeo|smbclient)\b(?:[^\n|;&]{{0,300}}?\s)-[pa]\s+){_ARGUMENT}"),
        rf"\1{REMOVED}",
    ),
    (
        re.compile(
            rf"((?:^|\s)(?:-u|--user|-U|--proxy-user|--creds|--src-creds|--dest-creds)[ =]\s*['\"]?[^\s:'\"]+:)(?!\d+(?:\s|$)){_ARGUMENT}"
        ),
        rf"\1{REMOVED}",
    ),
    (re.compile(rf"(?im)((?:^|\s)(?:requirepass|masterauth|sentinel auth-pass \S+)\s+){_ARGUMENT}"), rf"\1{REMOVED}"),
    (
        re.compile(
            rf"((?:^|[\s\"'>])(?:AUTH|auth)['\"]?\s+(?:['\"]?default['\"]?\s+)?)(?=['\"]|\S*\d)(?!\S*[=:(]){_ARGUMENT}(?=\s*$)", re.M
        ),
        rf"\1{REMOVED}",
    ),
    (re.compile(r"(?i)(\bACL\s+SETUSER\b[^\n]*?\s[>#<!])\S+"), rf"\1{REMOVED}"),
    (re.compile(r"(?im)((?:\blogin|\baccount|\bmachine)\s+\S+(?:\s+login\s+\S+)?\s+password\s+)\S+"), rf"\1{REMOVED}"),
    (re.compile(r"(?im)(^\s*password\s+)\S+(?=\s*$)"), rf"\1{REMOVED}"),
    (re.compile(r"(\buser_[\w-]+\s*=\s*)\"[^\"\n]*\""), rf'\1"{REMOVED}"'),  # the user list in a broker's settings
    # SQL
    (re.compile(rf"(?i)(\bIDENTIFIED\s+(?:WITH\s+\S+\s+)?(?:BY|AS|USING)\s+(?:PASSWORD\s*\(?\s*)?){_SQL_TEXT}", re.S), rf"\1'{REMOVED}'"),
    (re.compile(rf"(?i)(\b(?:OLD_)?PASSWORD\s*\(\s*){_SQL_TEXT}", re.S), rf"\1'{REMOVED}'"),
    (re.compile(rf"(?i)(\b(?:SET\s+PASSWORD\b[^=\n]*=|REPLACE)\s*){_SQL_TEXT}(?!\s*,)", re.S), rf"\1'{REMOVED}'"),
    # password hashes
    (re.compile(r"(?<!\w)\*[0-9A-F]{40}\b"), REMOVED),
    (re.compile(r"\$(?:1|2[abxy]?|5|6|y|7|gy|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*|A)\$[^\s'\",]{16,}"), REMOVED),
    # tokens with a service's well-known prefix
    (
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|soat|oas|agent)-|xox[abceprs]-|xapp-|sk-|(?:sk|rk|pk)_(?:live|test)_|"
            r"pypi-|dckr_[po]at_|npm_|hf_|dop_v1_|doo_v1_|shp(?:at|ss|ca|pa)_|lin_api_|tskey-|glsa_|rubygems_|NRAK-|sq0[a-z]{3}-|hv[sbr]\.|"
            r"ya29\.|EAACEdEose0cBA|SG\.|cio|PMAK-|atlasv1\.|pul-|secret_)(?=[A-Za-z0-9_.-]*[0-9])[A-Za-z0-9_.-]{16,}"
            r"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ANVA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{35}"
        ),
        REMOVED,
    ),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,2}"), REMOVED),
    (re.compile(r"(?<=hooks\.slack\.com/services/)[\w/]+|(?<=discord\.com/api/webhooks/)[\w/-]+"), REMOVED),
    (re.compile(r"\b\d{8,10}:AA[A-Za-z0-9_-]{30,}"), REMOVED),
)


def without_shapes(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def without_userinfo(value: str) -> str:
    """Clean a variable that holds one address (proxy, registry): remove everything before its last @, including blanks and quotes."""
    scheme, divided, rest = value.partition("://") if "://" in value.partition("@")[0] else ("", "", value)
    before, at, host = rest.rpartition("@")
    return f"{scheme}{divided}{REMOVED}@{host}" if at and before else value
