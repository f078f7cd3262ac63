#!/bin/sh
# The bundle of `npm run prove:gpu` where there is next to nothing: a root of a shell, mkdir, dirname and glibc, without Node, C++
# library, network, X or files that name a Vulkan driver; read-only but for /tmp and the results. SwiftShader stands in for
# NVIDIA's driver, under the name of its library. Then once more, stopped after three seconds: its results must be whole.
# Needs root, or a system that lets users have namespaces.
# Usage: prove-bundle.sh FOLDER [options of prove.sh]; FOLDER gets the bundle and, in FOLDER/out, the results.
set -eu
cd "$(dirname "$0")/.."
folder=$(realpath -m "$1")
shift
root=$folder/root
library=lib/$(uname -m)-linux-gnu
rm -rf "$root"
mkdir -p "$folder"
npm run --silent prove:gpu -- --bundle "$folder/bundle.tar.gz"

mkdir -p "$root/bin" "$root/$library" "$root/lib64" "$root/opt" "$root/out" "$root/tmp" "$root/proc" "$root/dev"
cp -L "$(command -v sh)" "$root/bin/sh"
cp -L "$(command -v mkdir)" "$(command -v dirname)" "$root/bin/"
for name in c.so.6 m.so.6 dl.so.2 pthread.so.0 rt.so.1; do cp -L "/$library/lib$name" "$root/$library/"; done
for path in $(ldd "$root"/bin/* | grep -o '/lib/[^ ]*' | sort -u); do cp -L "$path" "$root/$library/"; done
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
touch "$root/dev/null" "$root/dev/urandom"
tar -xf "$folder/bundle.tar.gz" -C "$root/opt"
# As NVIDIA's, it needs libraries of X, which this machine lacks and the bundle has.
swiftshader=$(env -u VK_ICD_FILENAMES -u VK_DRIVER_FILES node tools/software-vulkan.mjs | sed -n "s/.*VK_ICD_FILENAMES='\(.*\)'/\1/p")
cp "$(dirname "$swiftshader")/libvk_swiftshader.so" "$root/$library/"
echo | g++ -shared -x c++ - -o "$root/$library/libGLX_nvidia.so.0" -nostdlib -Wl,--no-as-needed,--allow-shlib-undefined \
  -L"$root/$library" -L"$root/opt/hearth-prove-gpu/lib/x11" -l:libX11.so.6 -l:libvk_swiftshader.so

# Mounts end with the namespace.
cat > "$folder/inside.sh" <<'END'
set -eu
root=$1 out=$2 seconds=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
for file in null urandom; do mount --bind "/dev/$file" "$root/dev/$file"; done
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$out" "$root/out"
mount -o remount,ro,bind "$root"
exec timeout "$seconds" chroot "$root" /bin/sh -c 'cd / && exec /opt/hearth-prove-gpu/prove.sh out/proof "$@"' prove "$@"
END

# A container may forbid namespaces: then the bundle runs beside this system's files, in an empty environment.
map=
[ "$(id -u)" = 0 ] || map=--map-root-user
is_bare=yes
unshare $map --mount --net --pid --fork --kill-child true 2> /dev/null || is_bare=
[ "$is_bare" ] || echo "prove-bundle.sh: this system allows no namespaces: the bundle is rehearsed without a bare root"

# bare OUT SECONDS [options]: on the bare machine, stopped after so many seconds
bare() {
  rm -rf "$1"
  mkdir -p "$1"
  if [ ! "$is_bare" ]; then
    out=$1 seconds=$2
    shift 2
    env -i PATH=/usr/bin:/bin VK_ICD_FILENAMES="$swiftshader" timeout "$seconds" \
      "$root/opt/hearth-prove-gpu/prove.sh" "$out/proof" "$@"
    return
  fi
  env -i PATH="$PATH" unshare $map --mount --net --pid --fork --kill-child sh "$folder/inside.sh" "$root" "$@"
}
bare "$folder/out" 600 --short "$@"

if bare "$folder/stopped" 3 --short --only adapter,conformance,copy > "$folder/stopped.txt"; then
  echo "prove-bundle.sh: a proof that was stopped says that it passed" && exit 1
fi
node -e '
  const { state, sections } = JSON.parse(require("fs").readFileSync(process.argv[1]));
  const faults = sections.flatMap((section) => section.faults);
  const isWhole = state === "failed" && faults.at(-1) === "not begun: SIGTERM came" && faults.at(-2) === "ended: SIGTERM came";
  if (!isWhole) { console.error("prove-bundle.sh: of a stopped proof remains", state, faults); process.exit(1); }
' "$folder/stopped/proof/proof.json"
echo "prove-bundle.sh: a proof that is stopped leaves whole results"
