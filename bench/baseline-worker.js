// What a bucket costs with no cache around it: the yardstick of the benchmark.
export default {
  async fetch(request, env) {
    const key = new URL(request.url).pathname.slice(1);
    if (request.method === "PUT") {
      await env.BUCKET.put(key, request.body, { sha256: request.headers.get("X-Sha256") ?? undefined });
      return new Response(null, { status: 201 });
    }
    const object = await env.BUCKET.get(key);
    return object === null ? new Response(null, { status: 404 }) : new Response(object.body);
  },
};
