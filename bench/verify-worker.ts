// PUT stores a NAR file, GET answers with its facts.
interface Env {
  readonly BUCKET: R2Bucket;
}

export default {
  async fetch(request: Request, { BUCKET }: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method === "PUT") {
      await BUCKET.put(pathname, request.body);
      return new Response();
    }
    const object = await BUCKET.get(pathname);
    if (object === null) return new Response("not found", { status: 404 });
    const { narFacts } = await import("../src/verify/facts.ts");
    const ca = searchParams.get("ca");
    const outcome = await narFacts(object.body, {
      compression: searchParams.get("compression") ?? "",
      maxNarSize: Number(searchParams.get("size")),
      addresses: ca === null ? [] : [{ ca, self: "0123456789abcdfghijklmnpqrsvwxyz" }],
      listing: true,
      pause: () => scheduler.wait(0),
    });
    return Response.json(outcome);
  },
} satisfies ExportedHandler<Env>;
