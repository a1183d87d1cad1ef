{
  description = "A Nix binary cache on Cloudflare: its client, its NixOS modules and a shell to work on it";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forEachSystem =
        make: nixpkgs.lib.genAttrs systems (system: make (import ./nixos/packages.nix nixpkgs.legacyPackages.${system}));
    in
    {
      packages = forEachSystem (our: {
        default = our.client;
      });

      apps = forEachSystem (our: {
        default = {
          type = "app";
          program = "${our.client}/bin/nix-cache";
          meta.description = "The client of nix-cache";
        };
      });

      devShells = forEachSystem (our: {
        default = our.shell;
      });

      nixosModules = {
        substituter = import ./nixos/substituter.nix;
        auto-push = import ./nixos/auto-push.nix self;
      };
    };
}
