/** The type of a `.wasm` import in the Workers runtime. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
