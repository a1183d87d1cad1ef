declare const worker: { fetch: (request: Request, env: { BUCKET: R2Bucket }) => Promise<Response> };
export default worker;
