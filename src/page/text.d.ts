/** The type of a `.txt` import: a file beside the Worker's bundle, which is loaded on first use. */
declare module "*.txt" {
  const text: string;
  export default text;
}
