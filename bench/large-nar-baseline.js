// The same operations on the bucket as an upload in parts and a download take, with no cache around them.
export default {
  async fetch(request, { BUCKET }) {
    const { pathname, searchParams: query } = new URL(request.url);
    const key = pathname.slice(1);
    const staged = `staged/${key}`;
    if (request.method === "GET") {
      const object = await BUCKET.get(key);
      return object === null ? new Response(null, { status: 404 }) : new Response(object.body);
    }
    if (query.has("uploads")) {
      const { uploadId } = await BUCKET.createMultipartUpload(staged);
      return new Response(`<UploadId>${uploadId}</UploadId>`);
    }
    const upload = BUCKET.resumeMultipartUpload(staged, query.get("uploadId"));
    if (request.method === "PUT") {
      const { etag } = await upload.uploadPart(Number(query.get("partNumber")), request.body);
      return new Response(null, { headers: { ETag: `"${etag}"` } });
    }
    const etags = [...(await request.text()).matchAll(/<ETag>"(.*?)"/g)].map((match) => match[1]);
    await upload.complete(etags.map((etag, index) => ({ partNumber: index + 1, etag })));
    await BUCKET.put(key, (await BUCKET.get(staged)).body, { sha256: query.get("sha256") });
    return new Response(null);
  },
};
