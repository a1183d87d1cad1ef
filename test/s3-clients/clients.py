"""S3 clients for Python as one command each: clients.py LIBRARY COMMAND ENDPOINT [ARGUMENT...]

put KEY FILE, parts KEY FILE (in parts of 5 MiB), create KEY FILE (only if there is none), get KEY FILE, size KEY,
list [PREFIX]. Prints what size and list find; exits with 1 and the client's own error.
"""

import sys

BUCKET, ACCESS_KEY, SECRET, REGION = "nix-cache", "push", "push-token", "auto"
PART_BYTES = 5 * 1024 * 1024


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


class Boto3:
    def __init__(self, endpoint):
        import boto3
        from boto3.s3.transfer import TransferConfig

        self.s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
        )
        self.config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)

    def put(self, key, path):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=read(path))

    def parts(self, key, path):
        self.s3.upload_file(path, BUCKET, key, Config=self.config)

    def create(self, key, path):
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=read(path), IfNoneMatch="*")

    def get(self, key, path):
        self.s3.download_file(BUCKET, key, path)

    def size(self, key):
        return self.s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"]

    def list(self, prefix):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [(item["Key"], item["Size"]) for page in pages for item in page.get("Contents", [])]


class Minio:
    def __init__(self, endpoint):
        from minio import Minio as Client

        self.client = Client(
            endpoint=endpoint.removeprefix("http://"),
            access_key=ACCESS_KEY,
            secret_key=SECRET,
            secure=False,
        )

    def put(self, key, path):
        self.client.fput_object(bucket_name=BUCKET, object_name=key, file_path=path)

    def parts(self, key, path):
        self.client.fput_object(bucket_name=BUCKET, object_name=key, file_path=path, part_size=PART_BYTES)

    create = None

    def get(self, key, path):
        self.client.fget_object(bucket_name=BUCKET, object_name=key, file_path=path)

    def size(self, key):
        return self.client.stat_object(bucket_name=BUCKET, object_name=key).size

    def list(self, prefix):
        found = self.client.list_objects(bucket_name=BUCKET, prefix=prefix, recursive=True)
        return [(item.object_name, item.size) for item in found]


class Obstore:
    """Rust's object_store."""

    def __init__(self, endpoint):
        import obstore
        from obstore.store import S3Store

        self.obstore = obstore
        self.store = S3Store(
            BUCKET,
            endpoint=endpoint,
            region=REGION,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )

    def put(self, key, path):
        self.obstore.put(self.store, key, read(path), use_multipart=False)

    def parts(self, key, path):
        self.obstore.put(self.store, key, read(path), use_multipart=True, chunk_size=PART_BYTES)

    def create(self, key, path):
        self.obstore.put(self.store, key, read(path), use_multipart=False, mode="create")

    def get(self, key, path):
        write(path, bytes(self.obstore.get(self.store, key).bytes()))

    def size(self, key):
        return self.obstore.head(self.store, key)["size"]

    def list(self, prefix):
        pages = self.obstore.list(self.store, prefix=prefix or None)
        return [(item["path"], item["size"]) for page in pages for item in page]


class Opendal:
    """Rust's opendal."""

    def __init__(self, endpoint):
        import opendal

        self.operator = opendal.Operator(
            "s3",
            bucket=BUCKET,
            endpoint=endpoint,
            region=REGION,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
        )

    def put(self, key, path):
        self.operator.write(key, read(path))

    def parts(self, key, path):
        data = read(path)
        with self.operator.open(key, "wb", chunk=PART_BYTES) as file:
            for offset in range(0, len(data), PART_BYTES):
                file.write(data[offset : offset + PART_BYTES])

    def create(self, key, path):
        self.operator.write(key, read(path), if_not_exists=True)

    def get(self, key, path):
        write(path, bytes(self.operator.read(key)))

    def size(self, key):
        return self.operator.stat(key).content_length

    def list(self, prefix):
        found = [entry.path for entry in self.operator.scan(prefix)]
        return [(path, self.size(path)) for path in found if not path.endswith("/")]


LIBRARIES = {"boto3": Boto3, "minio": Minio, "obstore": Obstore, "opendal": Opendal}


def main(library, command, *arguments):
    if command == "version":
        from importlib.metadata import version

        LIBRARIES[library]("http://127.0.0.1:1")
        print(library, version(library))
        return
    endpoint, *rest = arguments
    client = LIBRARIES[library](endpoint)
    if command == "list":
        for key, size in sorted(client.list(*rest or [""])):
            print(size, key)
    elif command == "size":
        print(client.size(*rest))
    else:
        getattr(client, command)(*rest)


main(*sys.argv[1:])
