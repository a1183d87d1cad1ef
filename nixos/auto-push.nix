# Pushes all that is built on this machine: a post-build hook notes the paths, and a service pushes them.
self:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nix-cache.auto-push;
  name = "nix-cache-hook";
  directory = "/var/lib/${name}";
  socket = "/run/${name}.socket";
  client = "${cfg.package}/bin/nix-cache";

  # Whatever goes wrong here, no build fails.
  hook = pkgs.writeShellScript name ''
    if [ -z "''${OUT_PATHS:-}''${DRV_PATH:-}" ]; then exit 0; fi
    ${client} hook send --dir ${directory} --socket ${socket} || true
  '';
in
{
  options.services.nix-cache.auto-push = {
    enable = lib.mkEnableOption "pushing what is built here to a nix-cache";
    url = lib.mkOption {
      type = lib.types.strMatching "https?://[^[:space:]]+";
      example = "https://cache.example.org";
      description = "The cache; a named one is https://cache.example.org/NAME.";
    };
    tokenFile = lib.mkOption {
      type = lib.types.strMatching "/.*";
      example = "/run/secrets/nix-cache-token";
      description = "A file with the token and nothing else, which only root has to be able to read; in quotes.";
    };
    exclude = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "-source$" ];
      description = "Regular expressions of the names of paths that are not pushed.";
    };
    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      defaultText = "the client of this flake";
      description = "The package of the client.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = !lib.hasPrefix builtins.storeDir cfg.tokenFile;
        message = "services.nix-cache.auto-push.tokenFile is in the store, where everybody can read it";
      }
    ];

    nix.settings.post-build-hook = hook;

    users.users.${name} = {
      isSystemUser = true;
      group = name;
    };
    users.groups.${name} = { };

    # Before the service has ever run, the hook notes paths already.
    systemd.tmpfiles.rules = [ "d ${directory} 0700 ${name} ${name} -" ];

    systemd.sockets.${name} = {
      description = "Wakes the service that pushes to nix-cache";
      wantedBy = [ "sockets.target" ];
      socketConfig = {
        ListenStream = socket;
        SocketMode = "0600";
      };
    };

    systemd.services.${name} = {
      description = "Pushes what was built here to nix-cache";
      # Also goes on with what was left at the last shutdown.
      wantedBy = [ "multi-user.target" ];
      requires = [ "${name}.socket" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "${name}.socket"
      ];
      path = [ config.nix.package ];
      environment = {
        HOME = directory;
        NIX_CACHE_URL = cfg.url;
        NIX_CACHE_TOKEN_FILE = "%d/token";
      };
      serviceConfig = {
        ExecStart = lib.escapeShellArgs (
          [
            client
            "hook"
            "serve"
            "--dir"
            directory
            "--idle-exit"
            "60"
          ]
          ++ lib.concatMap (expression: [
            "--exclude"
            expression
          ]) cfg.exclude
        );
        LoadCredential = "token:${cfg.tokenFile}";
        User = name;
        Group = name;
        Restart = "on-failure";
        RestartSec = 30;
        # SIGTERM lets it push what is noted; the rest waits in the directory.
        TimeoutStopSec = 120;
        KillMode = "mixed";

        ReadWritePaths = [ directory ];
        ProtectSystem = "strict";
        ProtectHome = true;
        ProtectClock = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectControlGroups = true;
        ProtectProc = "invisible";
        PrivateTmp = true;
        PrivateDevices = true;
        NoNewPrivileges = true;
        LockPersonality = true;
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        RestrictAddressFamilies = [
          "AF_UNIX"
          "AF_INET"
          "AF_INET6"
        ];
        CapabilityBoundingSet = "";
        SystemCallArchitectures = "native";
        SystemCallFilter = [
          "@system-service"
          "~@privileged"
        ];
        UMask = "0077";
        # MemoryDenyWriteExecute is not possible: V8 compiles at run time.
      };
    };
  };
}
