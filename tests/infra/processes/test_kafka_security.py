"""A Kafka with mutual TLS, passwords and ACLs: all clients of a process sign in, and may what it may."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from infra.connect.broker_name import broker_of_log
from infra.connect.settings import kafka_servers, prepare_topics
from infra.local_kafka.local import LocalKafka
from infra.payees.desk import PayeeLog
from infra.payouts.log import PayoutLog
from infra.processes.child_process import Process, tail
from infra.processes.progress import Watch
from infra.processes.server import ApiServer
from ingest.publish.publisher import publish_payout_commands
from schemas import topics
from schemas.errors import Unusable
from schemas.kafka import KafkaAddress, SignIn, async_config, client_config
from schemas.settings import OwnSettings
from streams.single_log import append_to
from streams.stages import DISPATCHER
from tests.commission.partner.payout_commands import unlock

EXAMPLE = Path(__file__).parents[3] / "examples" / "broker"
BOOKS = (topics.ACCOUNT_BOOK, topics.CLIENT_BOOK, topics.PARTNER_BOOK, topics.TERMS)
CHANGELOGS = tuple(topic.changelog for topic in topics.TOPICS if topic.changelog)
ALL = tuple(topic.name for topic in topics.TOPICS)
MAY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ingest": ((topics.TERMS,), (*BOOKS[:2], topics.TERMS, topics.DEAD_LETTERS)),
    "worker": (
        (*BOOKS, topics.MILESTONES, topics.ENDPOINTS, topics.OPERATIONS, *CHANGELOGS),
        (*BOOKS[:3], *ALL[4:9], topics.DELIVERIES, *CHANGELOGS),
    ),
    "server": (
        (*ALL, DISPATCHER.changelog),
        (
            *(topics.CLIENT_BOOK, topics.PARTNER_BOOK, topics.TERMS, topics.PAYOUTS, *topics.NOT_STORED),
            topics.PROPOSALS,
            *(topics.ENDPOINTS, topics.DELIVERIES, topics.ATTEMPTS, DISPATCHER.changelog),
            *(topics.LINKS, topics.CLICKS),
        ),
    ),
}
"""By process: the topics it reads, and those it writes. Each may describe all of them."""


@dataclass(frozen=True, slots=True)
class Secured:
    """A broker that asks for a certificate, a name and a password, behind TLS."""

    servers: str
    ca_file: Path
    folder: Path
    own: tuple[Path, Path]
    """The clients' certificate and its key."""

    def settings(self, user: str, mechanism: str = "SCRAM-SHA-512", **more: object) -> OwnSettings:
        """Those of a process that signs in as `user`."""
        known = {
            "data_dir": self.folder / "data",
            "kafka": self.servers,
            "kafka_protocol": "SASL_SSL",
            "kafka_mechanism": mechanism,
            "kafka_user": user,
            "kafka_password": f"{user}-secret",
            "kafka_ca": self.ca_file,
            "kafka_cert": self.own[0],
            "kafka_key": self.own[1],
            "partitions": 2,
            "api_port": 0,
        }
        return OwnSettings.model_validate(known | more)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 of its own making, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def joined(path: Path, *parts: Path) -> Path:
    """One PEM file of several."""
    path.write_text("".join(part.read_text() for part in parts))
    return path


def properties(keystore: Path, trusted: Path) -> dict[str, str]:
    """Of a broker whose clients show a certificate and sign in; its controller is for this machine only."""
    login = "org.apache.kafka.common.security"
    jaas = f'{login}.plain.PlainLoginModule required username="admin" password="admin-secret"'
    return {
        "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.plaintext.plain.sasl.jaas.config": f'{jaas} user_admin="admin-secret";',
        "listener.name.plaintext.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(trusted),
        "listener.name.plaintext.ssl.client.auth": "required",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
    }


def acl(user: str, kind: ResourceType, name: str, operation: AclOperation) -> AclBinding:
    is_topic = kind == ResourceType.TOPIC
    pattern = ResourcePatternType.LITERAL if is_topic else ResourcePatternType.PREFIXED
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def admit(admin: AdminClient) -> None:
    """Passwords and ACLs of the three processes."""
    credentials = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    upserts = [UserScramCredentialUpsertion(u, credentials, f"{u}-secret".encode()) for u in MAY]
    bindings = [acl(user, ResourceType.TOPIC, "*", AclOperation.DESCRIBE) for user in MAY]
    for user, (reads, writes) in MAY.items():
        bindings += [acl(user, ResourceType.TOPIC, name, AclOperation.READ) for name in reads]
        bindings += [acl(user, ResourceType.TOPIC, name, AclOperation.WRITE) for name in writes]
    for user, group in (
        *(
            ("server", name)
            for name in ("sink", "broker", "payouts", "payees", "terms", "endpoints", "dispatcher")
        ),
        ("ingest", "broker"),
    ):
        bindings.append(acl(user, ResourceType.GROUP, f"ibflow-{group}", AclOperation.READ))
    worker = ((ResourceType.GROUP, AclOperation.READ), (ResourceType.TRANSACTIONAL_ID, AclOperation.WRITE))
    bindings += [acl("worker", kind, "ibflow", operation) for kind, operation in worker]
    bindings.append(acl("server", ResourceType.TRANSACTIONAL_ID, "ibflow-dispatcher", AclOperation.WRITE))
    for future in (
        *admin.alter_user_scram_credentials(upserts).values(),
        *admin.create_acls(bindings).values(),
    ):
        future.result(30)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    (ca_file, key), own = certificate(folder, "kafka"), certificate(folder, "ibflow")
    admin = SignIn("SASL_SSL", "PLAIN", "admin", "admin-secret", str(ca_file), *map(str, own))
    trusted = joined(folder / "trusted.pem", ca_file, own[0])
    local = LocalKafka(
        extra_properties=properties(joined(folder / "both.pem", key, ca_file), trusted), sign_in=admin
    )
    with local.running(folder / "kafka") as running:
        found = Secured(running.bootstrap_servers, ca_file, folder, own)
        settings = found.settings("admin", "PLAIN")
        prepare_topics(settings, kafka_servers(settings))
        admit(AdminClient(client_config(kafka_servers(settings))))
        yield found


def ibflow(settings: OwnSettings, *arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "infra.cli", *map(str, arguments)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(settings.data_dir), **settings.for_worker()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(240)
def test_each_process_signs_in_as_itself(secured: Secured) -> None:
    """Terms and clients published by one, applied by a second, stored by a third; all of it arrives."""
    folder = secured.folder / "data"
    worker = Process("worker", ["worker"], folder / "worker.log", secured.settings("worker").for_worker())
    serving = secured.settings("server")
    server = ApiServer(serving, kafka_servers(serving))
    watch = Watch(kafka_servers(secured.settings("admin", "PLAIN")))
    try:
        server.start()
        worker.start()
        ingest = secured.settings("ingest")
        published = ibflow(ingest, "terms", "publish", EXAMPLE / "terms")
        assert 0 == published.returncode, published.stderr
        read = ibflow(ingest, "ingest", "--terms", EXAMPLE / "terms", EXAMPLE / "crm.csv")
        assert 0 == read.returncode, read.stderr
        deals = ("--server", "mt5-live", EXAMPLE / "mt5-live.deals.csv")
        read = ibflow(ingest, "ingest", "--terms", EXAMPLE / "terms", *deals)
        assert 3 == read.returncode, read.stderr  # four rows of it are dead letters
        watch.wait(server.sink.positions, 120)
        # What makes payouts may read and write their log, and command the books.
        assert PayoutLog(kafka_servers(serving)).known().batches == {}
        publish_payout_commands([unlock("l1")], kafka_servers(serving))
        append_to(kafka_servers(serving), topics.PAYOUTS, b"{}")
        append_to(kafka_servers(serving), topics.PAYEES, b"{}")
        assert [(0, b"{}")] == list(PayeeLog(kafka_servers(serving)).read())
        # What a second start asks: whose terms are there.
        assert "example" == broker_of_log(kafka_servers(serving))
        ((accrued,),) = server.client.query("SELECT count() FROM transfers").result_rows
        assert accrued > 0, tail(folder / "worker.log")
    finally:
        watch.close()
        worker.stop()
        server.stop()


def test_a_process_may_no_more_than_its_own(secured: Secured) -> None:
    """Who ingests cannot write the ledger's book."""
    refused: list[KafkaError | None] = []
    producer = Producer({**client_config(kafka_servers(secured.settings("ingest"))), "log_level": 0})
    producer.produce(topics.PARTNER_BOOK, b"{}", on_delivery=lambda error, _: refused.append(error))
    producer.flush(30)
    assert [KafkaError.TOPIC_AUTHORIZATION_FAILED] == [error.code() for error in refused if error is not None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kafka_password": "guessed"},
        {"kafka_cert": None, "kafka_key": None},
        {"kafka_protocol": "PLAINTEXT", "kafka_user": "", "kafka_password": "", "kafka_ca": None}
        | {"kafka_cert": None, "kafka_key": None},
    ],
    ids=["password", "no certificate", "nobody"],
)
def test_a_stranger_is_not_let_in(secured: Secured, wrong: dict[str, object]) -> None:
    """Without the password, a certificate, or TLS, the broker tells nothing."""
    address = kafka_servers(secured.settings("ingest", **wrong))
    with pytest.raises(KafkaException):
        AdminClient({**client_config(address), "log_level": 0}).list_topics(timeout=3)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kafka_protocol": "SASL_SSL"}, "SASL_SSL needs IBFLOW_KAFKA_USER and IBFLOW_KAFKA_PASSWORD"),
        ({"kafka_user": "u", "kafka_password": "p"}, "PLAINTEXT has no use for IBFLOW_KAFKA_USER"),
        ({"kafka_ca": "ca.pem"}, "PLAINTEXT has no use for IBFLOW_KAFKA_CA"),
        ({"kafka_ca": "/none/ca.pem", "kafka_protocol": "SSL"}, "there is no file /none/ca.pem"),
        (
            {"kafka_cert": __file__, "kafka_protocol": "SSL"},
            "IBFLOW_KAFKA_CERT and IBFLOW_KAFKA_KEY go together",
        ),
        ({"kafka_cert": __file__, "kafka_key": __file__}, "PLAINTEXT has no use for IBFLOW_KAFKA_CERT"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], told: str) -> None:
    """A password that would not be used, or not be protected as somebody thinks, is a sentence."""
    with pytest.raises(Unusable, match=told):
        kafka_servers(OwnSettings.model_validate({"kafka": "kafka.example:9092", **settings}))


def test_an_address_keeps_its_password_to_itself() -> None:
    """Text and messages show the servers alone; another process gets all of it; both clients the same."""
    address = KafkaAddress("a:1,b:2", SignIn("SASL_PLAINTEXT", "PLAIN", "ann", "pass-word"))
    assert "a:1,b:2" == str(address) == f"{address}"
    assert "pass-word" not in repr(address) + repr(address.sign_in)
    assert client_config(address) == client_config(pickle.loads(pickle.dumps(address)))  # noqa: S301 # our own
    asked = async_config(address)
    assert (["a:1", "b:2"], None) == (asked["bootstrap_servers"], asked["ssl_context"])
    assert ("ann", "pass-word") == (asked["sasl_plain_username"], asked["sasl_plain_password"])
    assert {"bootstrap.servers": "c:3", "security.protocol": "PLAINTEXT"} == client_config("c:3")
