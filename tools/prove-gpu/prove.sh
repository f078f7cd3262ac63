#!/bin/sh
# Runs the proof from an unpacked bundle (npm run prove:gpu -- --bundle FILE) on a Linux machine with a graphics card's driver:
#   ./prove.sh OUT [--short] [--gpu CHOICE] [--only A,B] [--seconds N]
# OUT gets proof.json, proof.md and log.txt, whole at every moment. Writes there and in $TMPDIR (/tmp) alone: some 2 GB.
# Uses nothing of the machine but this shell, mkdir, dirname and the driver.
set -eu
if [ $# -lt 1 ]; then
  echo "usage: $0 OUT [--short] [--gpu CHOICE] [--only A,B] [--seconds N]" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
out=$1
shift
mkdir -p "$out"
out=$(cd "$out" && pwd)
node=$here/bin/node

fail() {
  echo "prove.sh: $1" >&2
  echo "$1" > "$out/log.txt"
  exit 2
}

# loads FILE-OR-NAME: whether the system's linker loads it; what is no addon of Node's says so after it was loaded.
loads() {
  "$node" -e '
    try { process.dlopen({ exports: {} }, process.argv[1]) } catch (error) {
      if (!/self-register/.test(error.message)) { console.error(error.message); process.exit(1) }
    }' "$1"
}

with_libraries() { LD_LIBRARY_PATH=$1${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; export LD_LIBRARY_PATH; }

# Node itself, then what it loads; the bundle's own C++ library only where the system has none or an older one.
works() { "$node" -e 0 && loads "$here/addons/dawn.node" && loads "$here/build/hearth.node"; }
if ! works 2>/dev/null; then
  with_libraries "$here/lib/runtime"
  works 2> "$out/log.txt" ||
    fail "this bundle needs Linux @ARCH@ with glibc @GLIBC@ or newer (Ubuntu 22.04, Debian 12, RHEL 9), here: $(getconf GNU_LIBC_VERSION 2>/dev/null || echo unknown); $(while read -r line; do echo "$line"; break; done < "$out/log.txt")"
fi

if ! loads libvulkan.so.1 2>/dev/null; then
  [ -e "$here/lib/vulkan/libvulkan.so.1" ] ||
    fail "no Vulkan loader: neither this machine nor the bundle has libvulkan.so.1; install it (Debian, Ubuntu: libvulkan1; RHEL: vulkan-loader)"
  with_libraries "$here/lib/vulkan"
fi

# Where no file names NVIDIA's driver (a container without X, a bare driver), one is written that does.
named() {
  for folder in /etc/vulkan /usr/local/etc/vulkan /usr/share/vulkan /usr/local/share/vulkan "${HOME:-/nowhere}/.local/share/vulkan"; do
    for file in "$folder"/icd.d/*nvidia*.json; do
      [ -e "$file" ] && return 0
    done
  done
  return 1
}
write_icd() {
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$1" > "$out/nvidia-icd.json"
  VK_ICD_FILENAMES=$out/nvidia-icd.json VK_DRIVER_FILES=$out/nvidia-icd.json
  export VK_ICD_FILENAMES VK_DRIVER_FILES
  echo "prove.sh: $1 is the Vulkan driver, by $out/nvidia-icd.json"
}
if [ -z "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ]; then
  glx=libGLX_nvidia.so.0
  # The driver's library for X needs X's client libraries, which a container may lack: the bundle's are then taken.
  if ! loads $glx 2>/dev/null && [ -e "$here/lib/x11/libX11.so.6" ]; then
    before=${LD_LIBRARY_PATH:-}
    with_libraries "$here/lib/x11"
    loads $glx 2>/dev/null || LD_LIBRARY_PATH=$before
  fi
  if loads $glx 2>/dev/null; then
    named || write_icd $glx
  else
    for library in libEGL_nvidia.so.0 libnvidia-vulkan.so.1; do
      if loads $library 2>/dev/null; then
        write_icd $library
        break
      fi
    done
  fi
  if [ -e /dev/nvidiactl ] && [ -z "${VK_ICD_FILENAMES:-}" ] && ! named; then
    echo "prove.sh: the card's device is here and none of its graphics libraries; in a container, start it with -e NVIDIA_DRIVER_CAPABILITIES=all" >&2
  fi
fi

exec "$node" "$here/build/tools/tools/prove-gpu.js" "$@" --out "$out"
