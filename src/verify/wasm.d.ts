/** What a `.wasm` import is in the Workers runtime. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
