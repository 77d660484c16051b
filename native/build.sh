#!/bin/sh
# Builds the launcher, static and small, and the addon of the runner: the same bytes on every Debian 12.
#
#   native/build.sh             both machines, into native/prebuilt/linux-{x64,arm64}/
#   native/build.sh --check     builds elsewhere, and compares with what is committed
#   native/build.sh --sanitize  this machine only, with ASan and UBSan, into native/build/
#
# Needs: gcc musl-tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross, and for arm64 Debian's musl,
# which is fetched and unpacked into native/build/ because it cannot be installed beside amd64's
# without making arm64 a second architecture of this machine.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C SOURCE_DATE_EPOCH=0

warnings="-Wall -Wextra -Werror -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
  -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Wvla"
common="-std=gnu11 $warnings -fno-strict-aliasing -fstack-protector-strong"
# Sizes and addresses must not depend on where the sources are.
release="-Os -static -fno-pie -no-pie -fno-asynchronous-unwind-tables -ffunction-sections
  -fdata-sections -ffile-prefix-map=$PWD=. -Wl,--gc-sections -Wl,--build-id=none
  -Wl,-z,noexecstack,-z,relro,-z,now -s"
sources="src/main.c src/pool.c src/root.c src/confine.c src/landlock.c src/seccomp.c src/cgroup.c src/tree.c
  src/memory.c src/scratch.c src/supervise.c src/probe.c"

musl_arm64() {
  [ -f build/arm64/usr/lib/aarch64-linux-musl/libc.a ] && return
  mkdir -p build/apt/lists/partial build/apt/cache/archives/partial
  options="-qq -o APT::Architectures::=amd64 -o APT::Architectures::=arm64
    -o Dir::State::lists=$PWD/build/apt/lists -o Dir::Cache=$PWD/build/apt/cache
    -o APT::Sandbox::User=root"
  # shellcheck disable=SC2086
  (cd build/apt && apt-get $options update && apt-get $options download musl-dev:arm64=1.2.3-1)
  dpkg -x build/apt/musl-dev_1.2.3-1_arm64.deb build/arm64
}

# shellcheck disable=SC2086
build_x64() {
  mkdir -p "$1"
  musl-gcc $common $release -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu \
    $sources -o "$1/launcher"
}

# shellcheck disable=SC2086
build_arm64() {
  musl_arm64
  mkdir -p "$1"
  root=build/arm64/usr
  gcc=aarch64-linux-gnu-gcc
  builtin=$($gcc -print-file-name=include)
  lib=$root/lib/aarch64-linux-musl
  # -mno-outline-atomics: its helpers ask glibc about the processor.
  $gcc $common $release -mno-outline-atomics -nostdinc -nostdlib \
    -isystem $root/include/aarch64-linux-musl -isystem "$builtin" \
    -idirafter /usr/aarch64-linux-gnu/include \
    $lib/crt1.o $lib/crti.o $sources $lib/libc.a "$($gcc -print-libgcc-file-name)" $lib/crtn.o \
    -o "$1/launcher"
}

# Needs no C library, so it loads into any Node.
# shellcheck disable=SC2086
build_addon() {
  $1 $common -Os -fPIC -shared -nostdlib -nostartfiles -fno-stack-protector -fno-asynchronous-unwind-tables \
    -ffile-prefix-map="$PWD"=. -Wl,--build-id=none -Wl,-z,noexecstack,-z,relro,-z,now,-z,max-page-size=4096 -s \
    src/undumpable.c -o "$2/undumpable.node"
}

build_addons() {
  build_addon gcc "$1/linux-x64"
  build_addon aarch64-linux-gnu-gcc "$1/linux-arm64"
}

case "${1:-}" in
  --sanitize)
    mkdir -p build
    # shellcheck disable=SC2086
    gcc $common -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
      $sources -o build/launcher-sanitized
    ;;
  --check)
    build_x64 build/check/linux-x64
    build_arm64 build/check/linux-arm64
    build_addons build/check
    for file in linux-x64/launcher linux-arm64/launcher linux-x64/undumpable.node \
      linux-arm64/undumpable.node; do
      cmp "build/check/$file" "prebuilt/$file"
    done
    ;;
  '')
    build_x64 prebuilt/linux-x64
    build_arm64 prebuilt/linux-arm64
    build_addons prebuilt
    sha256sum prebuilt/*/*
    ;;
  *)
    echo "usage: native/build.sh [--check | --sanitize]" >&2
    exit 2
    ;;
esac
