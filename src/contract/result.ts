// What crosses from the Durable Object to the Worker: an error would lose its class on the way, so a refusal is a value.
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false;
      readonly status: number;
      readonly message: string;
      readonly headers: Record<string, string>;
    };
