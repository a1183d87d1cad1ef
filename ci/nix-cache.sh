#!/usr/bin/env bash
# Uses a nix-cache in a CI job without a secret and without the client: logs in with the job's identity token (OIDC), and
# pushes what was built by `nix copy`. With setup's token the job may only pull; the right to push is taken when it pushes.
#
#   nix-cache.sh setup                    from now on Nix pulls from the cache
#   nix-cache.sh push [INSTALLABLE...]    pushes these, or else all that was built here since setup
#
# NIX_CACHE_URL         the cache: https://cache.example.org, or https://cache.example.org/NAME
# NIX_CACHE_PUBLIC_KEY  public keys that sign its paths, separated by white space; those that the cache tells, if not given
# NIX_CACHE_AUDIENCE    what its rules (OIDC) have as audience; if not given, what the cache tells where that is at its URL,
#                       or else the URL's scheme and host
# NIX_CACHE_EXPIRES_IN  seconds for which the job may pull and push, 3600 if not given
# NIX_CACHE_ID_TOKEN    the identity token, where the CI hands one out in a variable (GitLab); GitHub is asked for it
#
# Without an identity token, as in a fork's pull request, it pulls what everybody may and pushes nothing.
# No token is an argument of a program: those are for all users of the machine to see.
set -euo pipefail
umask 077

die() {
  echo "nix-cache: $*" >&2
  exit 1
}

say() {
  echo "nix-cache: $*"
}

url=${NIX_CACHE_URL:-}
url=${url%/}
case $url in
  https://?* | http://localhost | http://localhost[:/]* | http://127.0.0.1 | http://127.0.0.1[:/]*) ;;
  *) die "NIX_CACHE_URL must be the cache's URL and begin with https://" ;;
esac
[[ $url =~ ^(https?://([^/:@?#[:space:]]+)(:[0-9]+)?)(/[a-z0-9-]+)?$ ]] ||
  die "NIX_CACHE_URL must be like https://cache.example.org or https://cache.example.org/NAME"
origin=${BASH_REMATCH[1]}
host=${BASH_REMATCH[2]}
audience=${NIX_CACHE_AUDIENCE:-}
public_keys=${NIX_CACHE_PUBLIC_KEY:-}
expires_in=${NIX_CACHE_EXPIRES_IN:-3600}
[[ $expires_in =~ ^[0-9]+$ ]] || die "NIX_CACHE_EXPIRES_IN must be a number of seconds"

# Of this job alone: GitHub empties RUNNER_TEMP, GitLab's jobs have a container each.
dir=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/nix-cache-$(id -u)
netrc=$dir/netrc
built_before=$dir/built-before
mkdir -p "$dir"
# In a shared /tmp somebody else may have made it first, to read the tokens.
[[ -O $dir && ! -L $dir ]] || die "$dir belongs to somebody else"
chmod 700 "$dir"

nix=(nix --extra-experimental-features nix-command)

# What the cache tells of itself (GET /api/v1/cache), asked with the login if there is one. Empty where it tells nothing: a
# private cache before the login, or one of an earlier version.
description=
describe() {
  local login=()
  if [[ -n $description ]]; then return; fi
  if [[ -f $netrc ]]; then login=(--netrc-file "$netrc"); fi
  description=$(curl ${login[@]+"${login[@]}"} --silent --fail --max-time 30 --retry 3 "$url/api/v1/cache") || description=
}

# The texts of the first list of this name in the description, a line each. They have no quotes: keys and URLs.
described_list() {
  awk -v name="$1" '
    match($0, "\"" name "\":\\[[^]]*\\]") {
      list = substr($0, RSTART + length(name) + 4, RLENGTH - length(name) - 5)
      n = split(list, texts, "\"")
      for (i = 2; i <= n; i += 2) print texts[i]
    }' <<<"$description"
}

# The audiences of the rules for GitHub or, without any, of all rules, a line each.
described_audiences() {
  awk -v github='"https://token.actions.githubusercontent.com' '
    {
      n = split($0, issuers, "{\"issuer\":")
      for (i = 2; i <= n; i++) {
        if (index(issuers[i], github) == 1) isGitHub = isOf[i] = 1
      }
      for (i = 2; i <= n; i++) {
        if (isGitHub && !isOf[i]) continue
        match(issuers[i], /"audiences":\[[^]]*/)
        m = split(substr(issuers[i], RSTART + 13, RLENGTH - 13), texts, "\"")
        for (j = 2; j <= m; j += 2) print texts[j]
      }
    }' <<<"$description"
}

# The audience to ask GitHub for. Of those that the cache tells, only one of its own: with a token of another audience,
# which it would receive, a malicious cache could log in elsewhere.
choose_audience() {
  local told
  describe
  while IFS= read -r told; do
    case $told in
      "$origin" | "$origin"/* | "$host" | "$host"/*)
        audience=$told
        return
        ;;
      ?*) say "the cache's rules have the audience $told, which is not its URL: give it as audience (NIX_CACHE_AUDIENCE) if it is right" ;;
    esac
  done < <(described_audiences)
  audience=$origin
}

# Asks a server, with a token that only curl's standard input sees: request TOKEN CURL_ARGUMENT...
request() {
  local token=$1
  shift
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl --config - --silent --show-error --max-time 30 --retry 3 "$@"
}

# The text of a field of a JSON object, which is a token and so has nothing to unescape.
json_field() {
  sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"\([A-Za-z0-9._-]*\)".*/\1/p'
}

# GitHub puts *** in the place of what it is told in this way.
mask() {
  if [[ ${GITHUB_ACTIONS:-} == true ]]; then echo "::add-mask::$1" >&2; fi
}

# The identity token of this job; fails where there is none.
identity_token() {
  if [[ -n ${NIX_CACHE_ID_TOKEN:-} ]]; then
    printf '%s' "$NIX_CACHE_ID_TOKEN"
  elif [[ -n ${ACTIONS_ID_TOKEN_REQUEST_URL:-} ]]; then
    request "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" --fail --get --data-urlencode "audience=$audience" \
      "$ACTIONS_ID_TOKEN_REQUEST_URL" | json_field value
  else
    return 1
  fi
}

# Writes the netrc $2 with a token that has the permission $1. Fails, and says why, where the job has no token or the cache
# does not take it.
login() {
  local permission=$1 netrc=$2 identity token status answer=$dir/answer
  rm -f "$netrc" "$answer"
  # GitHub is asked for a token of this audience; GitLab's has one already.
  if [[ -z ${NIX_CACHE_ID_TOKEN:-} && -n ${ACTIONS_ID_TOKEN_REQUEST_URL:-} && -z $audience ]]; then
    choose_audience
  fi
  if ! identity=$(identity_token) || [[ -z $identity ]]; then
    say "no identity token: a fork's pull request, or the job lacks 'permissions: id-token: write'"
    return 1
  fi
  mask "$identity"
  # An identity token ends within minutes; a build may not.
  status=$(request "$identity" --request POST --header "Content-Type: application/json" \
    --data "{\"expires_in\": $expires_in, \"permissions\": [\"$permission\"]}" --output "$answer" --write-out '%{http_code}' \
    "$origin/api/v1/tokens/exchange") || {
    say "$origin did not answer"
    return 1
  }
  token=
  if [[ $status == 2?? ]]; then token=$(json_field token <"$answer"); fi
  if [[ $status == 403 || $status == 404 ]]; then
    # A cache without TOKEN_SECRET mints nothing; it takes the identity token itself.
    token=$identity
  elif [[ -z $token ]]; then
    say "the cache does not take the identity token ($status): $(head -c 1000 "$answer" 2>/dev/null || true)"
  fi
  rm -f "$answer"
  [[ -n $token ]] || return 1
  mask "$token"
  printf 'machine %s login ci password %s\n' "$host" "$token" >"$netrc"
}

# What was built on this machine and not fetched from elsewhere, which is what Nix calls ultimate.
built() {
  "${nix[@]}" path-info --all --sigs | awk '$2 == "ultimate" { print $1 }' | sort
}

setup() {
  local conf=$dir/nix.conf own=${XDG_CONFIG_HOME:-$HOME/.config}/nix/nix.conf
  login pull "$netrc" || say "without it Nix reads what everybody may"
  if [[ -z $public_keys ]]; then
    describe
    # Into nix.conf goes only what is a key.
    public_keys=$(described_list public_keys | grep -E '^[^[:space:]\\#:]+:[A-Za-z0-9+/]+=*$' || true)
    if [[ -z $public_keys ]]; then say "$url tells no public key: Nix takes its paths only if it trusts their keys already"; fi
  fi
  {
    echo "extra-substituters = $url"
    # One line, whatever separates them.
    if [[ -n $public_keys ]]; then
      echo "extra-trusted-public-keys = $(tr -s '[:space:]' ' ' <<<"$public_keys")"
    fi
    if [[ -f $netrc ]]; then echo "netrc-file = $netrc"; fi
  } >"$conf"
  # What others have built on this machine before is not for this cache.
  built >"$built_before"
  # Nix reads the first of these last, and it wins.
  export NIX_USER_CONF_FILES="$conf:${NIX_USER_CONF_FILES:-$own}"
  if [[ -n ${GITHUB_ENV:-} ]]; then echo "NIX_USER_CONF_FILES=$NIX_USER_CONF_FILES" >>"$GITHUB_ENV"; fi
  say "Nix pulls from $url (NIX_USER_CONF_FILES=$NIX_USER_CONF_FILES)"
}

# Where to push: with the compression that the cache prefers.
destination() {
  describe
  local compression
  compression=$(sed -n 's/.*"compression":"\([a-z0-9]*\)".*/\1/p' <<<"$description")
  printf '%s' "$url${compression:+?compression=$compression}"
}

push() {
  # Beside that of setup, which Nix goes on reading, and only while this runs.
  local netrc=$dir/netrc-push
  trap 'rm -f "$dir/netrc-push"' EXIT
  login push "$netrc" || {
    # Where there is a token, somebody meant to push.
    if [[ -n ${NIX_CACHE_ID_TOKEN:-}${ACTIONS_ID_TOKEN_REQUEST_URL:-} ]]; then die "nothing is pushed"; fi
    say "nothing is pushed"
    return
  }
  local to
  to=$(destination)
  if (($# > 0)); then
    "${nix[@]}" copy --to "$to" --netrc-file "$netrc" "$@"
    return
  fi
  [[ -f $built_before ]] || die "push without installables needs 'setup' before the build"
  local new=$dir/new
  built | comm -13 "$built_before" - >"$new"
  say "$(wc -l <"$new") paths were built here"
  if [[ ! -s $new ]]; then return; fi
  xargs "${nix[@]}" copy --to "$to" --netrc-file "$netrc" <"$new"
}

command=${1:-}
case $command in
  setup) setup ;;
  push)
    shift
    push "$@"
    ;;
  *) die "the command is setup or push" ;;
esac
