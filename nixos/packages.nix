# The client, workerd for this system and the shell for working on the project. All that comes from npm is of the versions
# and hashes in package-lock.json.
pkgs:
let
  inherit (pkgs.stdenv.hostPlatform) system isLinux;
  inherit (builtins.fromJSON (builtins.readFile ../package.json)) version dependencies;
  lock = builtins.fromJSON (builtins.readFile ../package-lock.json);
  nodejs = pkgs.nodejs_24;

  platform =
    {
      x86_64-linux = { esbuild = "linux-x64"; workerd = "linux-64"; biome = "linux-x64"; };
      aarch64-linux = { esbuild = "linux-arm64"; workerd = "linux-arm64"; biome = "linux-arm64"; };
      x86_64-darwin = { esbuild = "darwin-x64"; workerd = "darwin-64"; biome = "darwin-x64"; };
      aarch64-darwin = { esbuild = "darwin-arm64"; workerd = "darwin-arm64"; biome = "darwin-arm64"; };
    }
    .${system};

  # The archive of a package of npm. nixpkgs' fetchurl has no mirror of npm and the lock names no address, so npm's public
  # registry stands here; Nix compares the hash.
  archiveOf =
    name:
    let
      locked = lock.packages."node_modules/${name}";
    in
    pkgs.fetchurl {
      url = "https://registry.npmjs.org/${name}/-/${baseNameOf name}-${locked.version}.tgz";
      hash = locked.integrity;
    };

  # A program that a package of npm brings for generic Linux, made to run on NixOS.
  patched =
    package: program:
    pkgs.stdenv.mkDerivation {
      pname = program;
      version = lock.packages."node_modules/${package}".version;
      src = archiveOf package;
      nativeBuildInputs = [ pkgs.autoPatchelfHook ];
      buildInputs = [ pkgs.stdenv.cc.cc.lib ];
      dontBuild = true;
      dontStrip = true;
      installPhase = ''
        runHook preInstall
        install -D -m 755 "$(find . -name ${program} -type f)" $out/bin/${program}
        runHook postInstall
      '';
    };

  workerd = patched "@cloudflare/workerd-${platform.workerd}" "workerd";
  biome = patched "@biomejs/cli-${platform.biome}" "biome";

  # What the client is bundled from and with.
  bundled = builtins.attrNames dependencies ++ [
    "esbuild"
    "@esbuild/${platform.esbuild}"
  ];
in
{
  inherit workerd biome;

  client =
    pkgs.runCommand "nix-cache-client-${version}"
      {
        nativeBuildInputs = [ nodejs ];
        meta.mainProgram = "nix-cache";
      }
      ''
        unpack() {
          mkdir -p node_modules/$1
          tar -xzf $2 -C node_modules/$1 --strip-components=1
        }
        ${builtins.concatStringsSep "\n" (map (name: "unpack ${name} ${archiveOf name}") bundled)}
        mkdir .ci
        cp -r ${../src} src
        cp ${../package.json} package.json
        cp ${../.ci/build-client.ts} .ci/build-client.ts
        node .ci/build-client.ts
        mkdir -p $out/bin $out/lib
        cp dist/nix-cache.mjs $out/lib/nix-cache.mjs
        cat > $out/bin/nix-cache <<SCRIPT
        #!${pkgs.runtimeShell}
        exec ${nodejs}/bin/node $out/lib/nix-cache.mjs "\$@"
        SCRIPT
        chmod +x $out/bin/nix-cache
      '';

  shell = pkgs.mkShell (
    {
      packages = [ nodejs ];
    }
    // pkgs.lib.optionalAttrs isLinux {
      # With it npm does not install the package `node`, which does not run on NixOS and would be first on PATH.
      npm_config_ignore_scripts = "true";
      MINIFLARE_WORKERD_PATH = "${workerd}/bin/workerd";
      BIOME_BINARY = "${biome}/bin/biome";
    }
  );
}
