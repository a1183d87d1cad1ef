// What a bucket costs with no cache around it: the yardstick of the benchmark.
export default {
  async fetch(request, env) {
    const object = await env.BUCKET.get(new URL(request.url).pathname.slice(1));
    return object === null ? new Response(null, { status: 404 }) : new Response(object.body);
  },
};
