"""A bucket as remote: a real S3 server on loopback, spoken to by DVC's own library."""

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.pipeline.commands.test_student import find_key

URL = "s3://team/qdllm"
CARD = "cards/emotion-tiny.json"


@pytest.fixture(scope="module")
def server():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def environment(server):
    host, port = server.get_host_and_port()
    return {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        # An address where nobody answers is given up at once.
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.fixture(scope="module")
def bucket(owner, environment):
    """A client of the server, in whose bucket the owner has shared."""
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="team")
    settings = owner.folder / ".dvc/config.local"
    before = settings.read_text()
    lines = owner.at(owner.folder, **environment).run("qdllm", "share", URL).splitlines()
    settings.write_text(before)
    assert lines[0].startswith(f"{URL} holds all ")
    assert lines[-1] == f"  make student REMOTE={URL}"
    return client


@pytest.fixture
def reader(member, environment):
    """Member B, who can reach the bucket."""
    return member.at(member.folder, **environment)


def test_a_damaged_and_a_lost_object_are_named_and_whole_ones_taken(bucket, reader):
    key = find_key(reader, CARD)
    place = {"Bucket": "team", "Key": f"qdllm/files/md5/{key[:2]}/{key[2:]}"}
    whole = bucket.get_object(**place)["Body"].read()
    bucket.put_object(**place, Body=b"no card")
    assert f"{CARD} is damaged on the DVC remote" in reader.refuse("qdllm", "student", "--remote", URL)
    bucket.delete_object(**place)
    assert f"{CARD} is missing on the DVC remote" in reader.refuse("qdllm", "student")
    assert not (reader.folder / "cards").exists()
    bucket.put_object(**place, Body=whole)
    assert reader.stages("qdllm", "student") == []
    assert (reader.folder / "students/emotion-tiny/llama-tiny/student.safetensors").is_file()


def test_a_bucket_that_is_not_there_and_a_server_that_does_not_answer(bucket, owner, reader):
    line = reader.refuse("qdllm", "student", "--remote", "s3://nobody/qdllm")
    assert "the DVC remote nobody/qdllm must exist, and does not" in line
    away = reader.at(reader.folder, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    line = away.refuse("qdllm", "student", "--remote", URL)
    assert "the DVC remote cannot be reached" in line
    assert reader.run("git", "status", "--porcelain") == ""
