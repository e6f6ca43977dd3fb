"""Redaction: every way to write a secret loses the secret, and everything else stays unchanged."""

import base64
import json
from pathlib import Path

import pytest

from labkit.redaction.redact import REMOVED, cleaner, is_secret, without_secrets, without_userinfo

# Each line is a text in which every ⟨…⟩ is secret. The brackets are removed before redaction.
SECRET = r"""
http://bob:⟨hunter2⟩@proxy:3128
https://bob:⟨hun@ter/2:x⟩@proxy.example:3128/path
HTTPS_PROXY='bob:⟨pw7⟩@proxy:3128'
HTTPS_PROXY=bob:⟨p@ss/w7⟩@proxy:3128
https_proxy: bob:⟨pw7%40x⟩@10.0.0.1:3128
ALL_PROXY="socks5h://bob:⟨p w 7'x⟩@proxy:1080"
"httpsProxy": "http://bob:⟨hunter2⟩@proxy:3128"
curl: (7) could not connect via bob:⟨hunter2⟩@proxy.example:3128
git clone https://⟨ghp_abcdefghijklmnop1234⟩@github.com/x/y.git
git clone https://oauth2:⟨hunter2⟩@gitlab.example/x.git
postgresql://svc:⟨hun/ter2⟩@db.example/orders?sslmode=require
mysql+pymysql://root:⟨a:b@c⟩@127.0.0.1:3306/order_db
redis://:⟨hunter2⟩@localhost:6379/0
amqp://guest:⟨guest7⟩@broker//
mongodb+srv://u:⟨hunter2⟩@cluster0.example.net/?retryWrites=true
jdbc:mysql://127.0.0.1:3306/db?user=bob&password=⟨hunter2⟩
GET /hook?token=⟨hunter2⟩&x=1 HTTP/1.1
https://blob.example/x?sv=2024&sig=⟨aBc%2Fd%3D⟩&se=2026
https://hooks.slack.com/services/⟨T000/B000/abcdefgh⟩
Authorization: Bearer ⟨abcdefgh12345678⟩
authorization: Basic ⟨Ym9iOmh1bnRlcjI=⟩
Proxy-Authorization: Basic ⟨Ym9iOmh1bnRlcjI=⟩
Authorization: Digest username="bob", ⟨response="0123abcd"⟩
curl -H 'Authorization: ⟨token hunter2⟩' http://127.0.0.1:8081/orders
{'authorization': 'Bearer ⟨hunter2hunter2⟩', 'accept': '*/*'}
[(b'host', b'x'), (b'authorization', b'⟨Bearer hunter2x⟩')]
Cookie: ⟨sid=abcd; theme=dark⟩
Set-Cookie: ⟨sid=abcd; HttpOnly⟩
X-Api-Key: ⟨hunter2⟩
curl -u bob:⟨hunter2⟩ http://127.0.0.1
curl --user 'bob:⟨hun ter2⟩' http://127.0.0.1
curl --proxy-user bob:⟨hunter2⟩ http://127.0.0.1
mysql -h 127.0.0.1 -u root -p⟨hunter2⟩ order_db
mysqldump --user=root -p'⟨hun ter2⟩' order_db
mysql --password=⟨hunter2⟩ -e 'select 1'
mysql --password '⟨hun ter2⟩'
docker login -u bob -p ⟨hunter2⟩ registry.example
sshpass -p ⟨hunter2⟩ ssh bob@host
redis-cli -a ⟨hunter2⟩ ping
redis-server --requirepass ⟨hunter2⟩ --port 6379
requirepass ⟨hunter2⟩
masterauth "⟨hun ter2⟩"
AUTH ⟨hunter2⟩
ACL SETUSER default on >⟨hunter2⟩ ~* +@all
java -Djavax.net.ssl.keyStorePassword=⟨hunter2⟩ -jar x.jar
MYSQL_PWD=⟨hunter2⟩
MYSQL_PWD=⟨x⟩ mysqladmin ping
export MYSQL_PASSWORD=⟨hun ter2⟩
export DB_PASSWORD="⟨hun \" ter2⟩"
-e MYSQL_ROOT_PASSWORD=⟨hunter2⟩
ENV API_TOKEN ⟨⟩=⟨hunter2⟩
MY_SECRET: ⟨yaml value with blanks⟩
password: ⟨p@ss: #word⟩
  - token: ⟨hunter2⟩
passphrase = ⟨correct horse battery staple⟩
the password=⟨hunter2,x;y⟩ was refused
login failed for bob (pwd: ⟨hunter2⟩)
MysqlSettings(host='127.0.0.1', port=3306, user='bob', password='⟨hun"ter2⟩')
Account(password="⟨it's⟩", user="bob")
{"user": "bob", "password": "⟨hun\"ter2⟩"}
{"password":"⟨hunter2⟩","id":7}
{"token":⟨1234567⟩,"id":7}
{"credentials": {"user": "⟨bob7⟩", "value": "⟨hunter2⟩"}, "id": 7}
{"secrets": ["⟨hunter2⟩", "⟨hunter3⟩"], "id": 7}
{"line": "{\"password\": \"⟨hunter2⟩\"}", "id": 7}
{"auths": {"registry.example": {"auth": "⟨Ym9iOmh1bnRlcjI=⟩"}}}
{"auths": {"registry.example": {"identitytoken": "⟨hunter2⟩"}}}
DOCKER_AUTH_CONFIG={"auths":⟨{"registry.example":{"auth":"Ym9iOmh1bnRlcjI="}}}⟩
DOCKER_AUTH_CONFIG='⟨{"auths":{"r":{"auth":"Ym9iOmh1bnRlcjI="}}}⟩'
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="labkit" password="⟨hunter2⟩";
    username="labkit" password="⟨hunter2⟩";
user_labkit="⟨hunter2⟩" KafkaServer password="⟨hunter2⟩"
ssl.keystore.password=⟨hunter2⟩
"Server=db;Uid=bob;Pwd=⟨hunter2⟩"
DefaultEndpointsProtocol=https;AccountKey=⟨abcd1234==⟩
aws_secret_access_key = ⟨wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY⟩
aws_access_key_id = ⟨AKIAIOSFODNN7EXAMPLE⟩
found ⟨ASIAIOSFODNN7EXAMPLE⟩ in the log
⟨eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP⟩
⟨ghp_abcdefghijklmnopqrstuvwxyz0123456789⟩ is what git sent
⟨github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz⟩
⟨glpat-abcdefghij1234567890⟩
//registry.npmjs.org/:_authToken=⟨npm_abcdefghijklmnopqrstuvwxyz0123456789⟩
//registry.npmjs.org/:_password=⟨aHVudGVyMg==⟩
//registry.npmjs.org/:_auth=⟨Ym9iOmh1bnRlcjI=⟩
⟨pypi-AgEIcHlwaS5vcmcCJDAxMjM0NTY3⟩
⟨dckr_pat_abcdefghijklmnop12345⟩
⟨xoxb-123456789012-abcdefghijkl⟩
⟨sk-abcdefghijklmnopqrst1234⟩
⟨sk_live_abcdefghijklmnop1234⟩
⟨AIzaSyA1234567890abcdefghijklmnopqrstuv⟩
⟨hvs.CAESIJabcdefghijklmnop1234⟩
machine registry.example login bob password ⟨hunter2⟩
  password ⟨hunter2⟩
CREATE USER 'bob'@'%' IDENTIFIED BY '⟨hunter2⟩'
ALTER USER bob IDENTIFIED WITH mysql_native_password BY '⟨it''s⟩';
CREATE USER bob IDENTIFIED WITH mysql_native_password AS '⟨*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19⟩'
SET PASSWORD FOR 'bob'@'%' = '⟨hunter2⟩'
bob:⟨$6$rounds=5000$saltsalt$abcdefghijklmnopqrstuvwxyz⟩:19000:0
bob ⟨$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234⟩
secretKey=⟨hunter2⟩
"clientSecret" : "⟨hunter2⟩"
privateKey: ⟨hunter2⟩
SESSION_COOKIE=⟨abcd⟩
accessToken => ⟨hunter2⟩
"""

BLOCKS = [
    "-----BEGIN RSA PRIVATE KEY-----\n⟨MIIEow\nAbCd⟩\n-----END RSA PRIVATE KEY-----\nafter",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n⟨b3BlbnNzaC1rZXk⟩",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n⟨lQOYBF⟩\n-----END PGP PRIVATE KEY BLOCK-----",
    '{"private_key": "⟨-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n⟩", "id": 7}',
    "password: |\n  ⟨first line⟩\n  ⟨second line⟩\nafter: 1",
    "credentials:\n  user: ⟨bob7⟩\n  value: ⟨hunter2⟩\nafter: 1",
    "tokens:\n- ⟨hunter2⟩\n- ⟨hunter3⟩\nafter: 1",
    'MY_SECRET="⟨first line\nsecond line⟩"\nAFTER=1',
    '{\n "credentials": {\n  "user": "⟨bob7⟩",\n  "value": "⟨hunter2⟩"\n },\n "after": 1\n}',
]

HARMLESS = r"""
order 7 became APPROVED at 12:34:56.789, binlog.000002:48211
0000018f-0242ac1100010000 OrderCreated orders/3@1234 offset 17
mysql:8.4@sha256:2470c0c06dee42fd1618bb99005adca2ec9d1e19aabbccddeeff00112233445566
https://registry.example/v2/library/mysql@sha256:2470c0c06dee42fd1618bb99005adca2ec9d1e19
/home/x/workshop/services/orders/store.py:34: in insert_order
http://127.0.0.1:8081/customers/1/orderhistory
http://localhost:8081/swagger-ui/index.html
https://medium.com/@someone/sagas
https://registry.npmjs.org/@types/node
mailto:ada@example.org wrote to ada@example.org
git@github.com:owner/repository.git
controller.quorum.voters=1@127.0.0.1:9093
org.apache.kafka.clients.Metadata@1a2b3c4d
lock:java.util.concurrent.locks.ReentrantLock@6d06d69c
delegation.token.expiry.time.ms = 86400000
ssl.key.password = null
sasl.jaas.config = null
password.encoder.keyfactory.algorithm = null
sasl.oauthbearer.token.endpoint.url = null
Access denied for user 'bob'@'localhost' (using password: YES)
Access denied for user 'bob'@'localhost' (using password: NO)
a token is what a service calls its secret
PWD=/home/x/workshop
TOKEN_FILE=/run/secrets/labkit
NO_PROXY=127.0.0.1,localhost
HTTP_PROXY=http://proxy.example:3128
KAFKA_BOOTSTRAP=127.0.0.1:9092
MYSQL_HOST=127.0.0.1 MYSQL_PORT=3306 MYSQL_USER=customer_service MYSQL_DATABASE=customer_db
{"event": "start", "component": "orders", "pid": 4711, "time": 1764193200.123, "digest": "9f86d081884c7d65"}
{"id": 7, "state": "APPROVED", "orderTotal": {"amount": 12.34}, "key": "7", "partition": 3}
{"password": null, "token": "", "secret": false}
12.34 is reserved for order 7 (customer_db.customer_credit_reservations, binlog.000002:48211)
  ✓ 1.1  The gateway answers  0.3 s
KeyError: 'customerId'
mysqld: ready for connections. Version: '10.11.19-MariaDB' socket: '/run/x/mysql.sock' port: 3306
redis-server *:6379 [cluster] PID 4711
docker run -p 8081:8081 --user 1000:1000 labkit/services:local
mkdir -p /var/lib/mysql && mysql -P 3306
select * from orders where customer_id = 7 and state = 'PENDING'
{'basic': 'authentication', 'scheme': 'http'} basic principles apply everywhere
Signed-off-by: a monkey with keys: a, b, c
key=customer-7 hash=abc keyspace=db0 keys=3
author: Ada, authority: none, tokens_per_second: 12
passed: 8, passwordless: yes, bypass=off, compass: north
the order's pinned version: 7; spinning: yes
"""


def split(marked: str) -> tuple[str, list[str]]:
    """Returns the text, and its secret parts."""
    text, secrets = "", []
    for index, part in enumerate(marked.replace("⟩", "⟨").split("⟨")):
        text += part
        if index % 2:
            secrets += [line for line in part.splitlines() if line]
    return text, secrets


SECRETS = [line for line in SECRET.splitlines() if line] + BLOCKS


@pytest.mark.parametrize("marked", SECRETS, ids=[line[:60] for line in SECRETS])
def test_every_way_to_write_a_secret_loses_it(marked: str) -> None:
    for around in ("{}", "before\n{}\nafter\n", "2026-11-26 12:00:00 orders | {}"):
        text, secrets = split(marked)
        if around.startswith("20") and ("\n" in text or text.startswith("  p")):
            continue
        cleaned = without_secrets(around.format(text) if around != "{}" else text)
        assert REMOVED in cleaned
        assert not [secret for secret in secrets if secret in cleaned], cleaned
        assert "after" in cleaned or "after" not in text
        if text.startswith("{") and around == "{}" and "'" not in text:
            json.loads(cleaned)
        assert without_secrets(cleaned) == cleaned


@pytest.mark.parametrize("line", [line for line in HARMLESS.splitlines() if line])
def test_what_is_no_secret_stays(line: str) -> None:
    assert without_secrets(line) == line
    assert without_secrets(f"{line}\n{line}") == f"{line}\n{line}"


def test_there_are_enough_of_both() -> None:
    assert len(SECRETS) > 100
    assert len(HARMLESS.splitlines()) > 40


@pytest.mark.parametrize(
    "value", ["bob:p w'\"x@proxy:3128", "http://bob:p@ss/w@proxy:3128", "bob:@:/ @proxy:3128", "http://to/ken@proxy:3128"]
)
def test_an_address_that_is_known_to_be_one_loses_all_before_its_host(value: str) -> None:
    assert without_userinfo(value).removeprefix("http://") == f"{REMOVED}@proxy:3128"


def test_what_the_environment_holds_is_found_wherever_and_however_it_stands() -> None:
    docker = json.dumps({"auths": {"r": {"auth": base64.b64encode(b"bob:docker-pa55").decode()}}})
    environment = {
        "MY_TOKEN": 'wei"rd/pa55 word',
        "KEY_PASSPHRASE": "first-line-pa55\nsecond-line-pa55",
        "DOCKER_AUTH_CONFIG": docker,
        "HTTPS_PROXY": "bob:proxy@pa55/x@proxy:3128",
        "SHORT_PWD": "pa55",
        "PWD": "/work",
    }
    clean = cleaner(environment, home=Path("/nowhere/home"), user="", host="")
    wrote = [
        'wei"rd/pa55 word',
        'wei\\"rd/pa55 word',
        "wei%22rd%2Fpa55%20word",
        "x second-line-pa55 x",
        "docker-pa55",
        "proxy@pa55/x",
        "a pa55 b",
    ]
    for text in wrote:
        assert "pa55" not in clean(f"sent {text} to /work"), text
        assert "/work" in clean(f"sent {text} to /work")
    assert clean("compa55ion") == "compa55ion"


@pytest.mark.parametrize(
    "name",
    [
        "MYSQL_PWD",
        "DOCKER_AUTH_CONFIG",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "KAFKA_SASL_JAAS_CONFIG",
        "apiKey",
        "PGPASSWORD",
        "NPM_CONFIG__AUTH",
        "REDISCLI_AUTH",
        "SSHPASS",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "PWD",
        "OLDPWD",
        "PATH",
        "TOKEN_FILE",
        "KEYBOARD",
        "DOCKER_CONFIG",
        "DOCKER_HOST",
        "LABKIT_NAME",
        "COMPASS",
        "XAUTHORITY",
        "SSH_AUTH_SOCK",
    ],
)
def test_names_of_none(name: str) -> None:
    assert not is_secret(name)


def test_large_and_nasty_texts_take_no_time() -> None:
    for text in (
        '"' * 200_000,
        "a:" * 100_000,
        "://" * 60_000,
        "password=" * 30_000,
        "{[" * 60_000,
        "x@" * 100_000,
        "-p " * 60_000,
        "mysql " * 40_000,
    ):
        without_secrets(text)
    without_secrets('{"password": ' * 20_000)
