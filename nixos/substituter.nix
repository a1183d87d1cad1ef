# Makes Nix on this machine fetch from a nix-cache.
{ config, lib, ... }:
let
  cfg = config.services.nix-cache.substituter;
in
{
  options.services.nix-cache.substituter = {
    enable = lib.mkEnableOption "fetching from a nix-cache";
    url = lib.mkOption {
      type = lib.types.strMatching "https?://[^[:space:]]+";
      example = "https://cache.example.org";
      description = "The cache; a named one is https://cache.example.org/NAME.";
    };
    publicKeys = lib.mkOption {
      type = lib.types.listOf (lib.types.strMatching "[^[:space:]:]+:[A-Za-z0-9+/]+=*");
      example = [ "cache.example.org-1:PUBLIC" ];
      description = "The public keys of which one must have signed a path.";
    };
    netrcFile = lib.mkOption {
      type = lib.types.nullOr (lib.types.strMatching "/.*");
      default = null;
      example = "/run/secrets/nix-netrc";
      description = ''
        The netrc file with the token of a private cache, in quotes: a path without them would be copied to the store,
        which everybody can read.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.netrcFile == null || !lib.hasPrefix builtins.storeDir cfg.netrcFile;
        message = "services.nix-cache.substituter.netrcFile is in the store, where everybody can read it";
      }
    ];
    nix.settings = {
      extra-substituters = [ cfg.url ];
      extra-trusted-public-keys = cfg.publicKeys;
    }
    // lib.optionalAttrs (cfg.netrcFile != null) { netrc-file = cfg.netrcFile; };
  };
}
