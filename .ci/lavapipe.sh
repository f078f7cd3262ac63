#!/bin/sh
# A second software Vulkan driver for CI: lavapipe of Mesa 25 from Debian's backports, unpacked without touching the
# system's own Mesa (Dawn refuses the 22.3.6 of bookworm). Prints the environment that selects it:
#   eval "$(.ci/lavapipe.sh)"
# The mirror is that of this machine's apt sources. Needs apt and dpkg; libraries that Mesa links are installed
# when missing (root), everything else works without root. Usage: lavapipe.sh [folder]
set -eu
folder=$(realpath -m "${1:-${TMPDIR:-/tmp}/hearth-lavapipe}")
library="usr/lib/$(dpkg --print-architecture | sed 's/amd64/x86_64/; s/arm64/aarch64/')-linux-gnu"
driver="$folder/root/$library/libvulkan_lvp.so"

# Sources of this machine with the backports suite beside its own, in a list of our own.
backports_sources() {
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mkdir -p "$folder/sources" "$folder/lists/partial"
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    sed "s/^Suites:.* $codename-updates.*\$/Suites: $codename $codename-updates $codename-backports/; \
         s/^Suites: $codename\$/Suites: $codename $codename-backports/" "$file" > "$folder/sources/$(basename "$file")"
  done
  if [ -s /etc/apt/sources.list ]; then
    sed -n "p; s/^\(deb .*\) $codename main\(.*\)\$/\1 $codename-backports main\2/p" /etc/apt/sources.list \
      > "$folder/sources/main.list"
  fi
  echo "$codename"
}

if [ ! -e "$driver" ]; then
  mkdir -p "$folder"
  codename=$(backports_sources)
  from="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$folder/sources -o Dir::State::lists=$folder/lists"
  # shellcheck disable=SC2086 # options, one a word
  {
    apt-get $from update
    cd "$folder"
    apt-get $from download "mesa-vulkan-drivers/$codename-backports" libvulkan1
    for package in ./*.deb; do dpkg -x "$package" root; done
    if ldd "$driver" | grep -q 'not found'; then
      apt-get $from install -y --no-install-recommends mesa-vulkan-drivers
    fi
  } >&2
fi
if ldd "$driver" | grep 'not found' >&2; then
  echo "lavapipe.sh: $driver lacks the libraries above" >&2
  exit 1
fi
sed "s#\"library_path\": \".*\"#\"library_path\": \"$driver\"#" "$folder"/root/usr/share/vulkan/icd.d/lvp_icd*.json \
  > "$folder/icd.json"
echo "export VK_ICD_FILENAMES='$folder/icd.json'"
echo "export LD_LIBRARY_PATH='$folder/root/$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}'"
# Vectors of 128 bits halve the time in which LLVM compiles a kernel; every run of CI compiles each of them once.
echo "export LP_NATIVE_VECTOR_WIDTH=128"
echo "export XDG_RUNTIME_DIR='${XDG_RUNTIME_DIR:-/tmp}'"
