// A folder of the bucket as a bucket of its own: a named cache has in it the layout that the default cache has in the
// whole bucket.

/** The operations that a cache uses, each on keys below `folder` (which ends in a slash) and named without it. */
export function bucketFolder(bucket: R2Bucket, folder: string): R2Bucket {
  if (folder === "") return bucket;
  const inside = <T extends { readonly key: string } | null>(object: T): T =>
    object === null ? object : renamed(object, folder);
  const operations: Pick<
    R2Bucket,
    "head" | "get" | "put" | "delete" | "list" | "createMultipartUpload" | "resumeMultipartUpload"
  > = {
    head: async (key) => inside(await bucket.head(folder + key)),
    get: async (key: string, options?: R2GetOptions) =>
      inside(await bucket.get(folder + key, options)) as R2ObjectBody,
    put: async (key: string, ...rest: [never, R2PutOptions?]) =>
      inside(await bucket.put(folder + key, ...rest)) as R2Object,
    delete: (keys) =>
      bucket.delete(typeof keys === "string" ? folder + keys : keys.map((key) => folder + key)),
    list: async ({ prefix = "", startAfter, ...options } = {}) => {
      const place = startAfter === undefined ? {} : { startAfter: folder + startAfter };
      const page = await bucket.list({ ...options, ...place, prefix: folder + prefix });
      return {
        ...page,
        objects: page.objects.map(inside),
        delimitedPrefixes: page.delimitedPrefixes.map((found) => found.slice(folder.length)),
      };
    },
    createMultipartUpload: async (key, options) =>
      inside(await bucket.createMultipartUpload(folder + key, options)),
    resumeMultipartUpload: (key, uploadId) => inside(bucket.resumeMultipartUpload(folder + key, uploadId)),
  };
  return operations as R2Bucket;
}

/** The object with another key. Its native getters and methods need the original as `this`. */
function renamed<T extends { readonly key: string }>(object: T, folder: string): T {
  return new Proxy(object, {
    get(target, property) {
      if (property === "key") return target.key.slice(folder.length);
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
