#!/bin/sh
# Makes a Debian package of a built program: packaging/debian/build.sh [PROGRAM] [FOLDER]
#
# PROGRAM is target/release/lurcher by default, FOLDER (where the package goes) target/debian. Needs dpkg-deb.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
program=${1:-$root/target/release/lurcher}
into=${2:-$root/target/debian}
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
architecture=$(dpkg --print-architecture)

if [ ! -x "$program" ]; then
    echo "$program is not there; build it first: cargo build --release --features serve" >&2
    exit 1
fi
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 0755 "$tree"

install -D -m 0755 "$program" "$tree/usr/bin/lurcher"
install -D -m 0644 "$here/../systemd/lurcher.service" "$tree/usr/lib/systemd/system/lurcher.service"
install -D -m 0640 "$here/../lurcher.toml" "$tree/etc/lurcher/lurcher.toml"
install -D -m 0644 "$root/LICENSE" "$tree/usr/share/doc/lurcher/copyright"
for page in server api; do
    install -m 0644 "$root/docs/$page.md" "$tree/usr/share/doc/lurcher/$page.md"
done
install -d "$tree/DEBIAN"
for script in postinst prerm postrm; do
    install -m 0755 "$here/$script" "$tree/DEBIAN/$script"
done
echo /etc/lurcher/lurcher.toml > "$tree/DEBIAN/conffiles"

# The C library that the program was linked with is the oldest that it runs on.
libc=$(dpkg-query -W -f '${Version}' libc6 | sed 's/-.*//')
size=$(du -sk "$tree" | cut -f1)
cat > "$tree/DEBIAN/control" <<CONTROL
Package: lurcher
Version: $version
Architecture: $architecture
Maintainer: The Lurcher authors <lurcher@localhost>
Installed-Size: $size
Depends: libc6 (>= $libc), adduser
Section: admin
Priority: optional
Description: runs the detection rules of Splunk, Elastic and Sigma, unmodified
 Sweeps files and evaluates live events with the rules that Splunk, Elastic and
 Sigma publish, keeps alerts and risk, and tells other systems.
CONTROL

mkdir -p "$into"
package="$into/lurcher_${version}_$architecture.deb"
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
