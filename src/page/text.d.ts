/** The type of a `.txt` import: a file beside the Worker's bundle. */
declare module "*.txt" {
  const text: string;
  export default text;
}
