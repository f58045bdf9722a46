#!/bin/sh
# Mounts the disks of a recovery point read-only, to copy files out of them. Made by Holdfast for one
# session; it ends by itself after some hours, or when somebody ends it.
#
#   sh SCRIPT [FOLDER]              mount below FOLDER (a new folder here when absent)
#   sh SCRIPT --unmount FOLDER      unmount what was mounted there
#
# Run it as root on a machine of your own that you trust with the content of the disks, and never on the
# machine that was backed up when it uses LVM or RAID. It needs qemu-storage-daemon (Debian: qemu-system-common),
# FUSE, losetup, blkid, partx and mount. Logical volumes, RAID and encrypted volumes are attached and named, not opened.
set -u
TargetPassword="@PASSWORD@"
Server=@HOST@
Port=@PORT@
Session=@SESSION@
Disks="@DISKS@"

fail() { echo "ERROR: $*" >&2; exit 1; }

unmount_all() { # folder
  state=$1/.holdfast
  [ -d "$state" ] || fail "$1 holds no session of this script"
  if [ -f "$state/mounted" ]; then
    sort -r "$state/mounted" | while IFS= read -r place; do umount "$place" && rmdir "$place"; done
  fi
  if [ -f "$state/loops" ]; then while IFS= read -r loop; do losetup -d "$loop"; done <"$state/loops"; fi
  for file in "$state"/pid-*; do
    [ -f "$file" ] || continue
    process=$(cat "$file")
    kill "$process" 2>/dev/null
    while kill -0 "$process" 2>/dev/null; do sleep 0.1; done
  done
  rm -rf "$state"
  rmdir "$1" 2>/dev/null
  echo "Unmounted."
}

[ "$(id -u)" = 0 ] || fail "run this script as root: it mounts file systems"
if [ "${1:-}" = --unmount ]; then
  [ -n "${2:-}" ] || fail "say which folder: --unmount FOLDER"
  unmount_all "$2"
  exit
fi
missing=
for program in qemu-storage-daemon losetup blkid partx mount; do command -v "$program" >/dev/null || missing="$missing $program"; done
[ -z "$missing" ] || fail "these programs are missing:$missing (Debian: apt-get install qemu-system-common mount util-linux fdisk)"
[ -e /dev/fuse ] || fail "/dev/fuse is missing: load the module fuse"

if [ "$TargetPassword" = UserInput012345 ]; then
  printf 'Password that was shown when this script was made: ' >&2
  stty -echo 2>/dev/null
  IFS= read -r TargetPassword
  stty echo 2>/dev/null
  echo >&2
fi
case $TargetPassword in *[!A-Za-z0-9]*|'') fail "that is no password of this service" ;; esac

folder=${1:-$PWD/$Session-$(date +%Y%m%d%H%M%S)}
mkdir -p "$folder" || fail "$folder cannot be made"
folder=$(cd "$folder" && pwd)
case $folder in *[,\"\\]*) fail "the folder's path must not hold commas, quotes and backslashes" ;; esac
state=$folder/.holdfast
mkdir "$state" "$state/disks" || fail "$folder is in use by another session"
chmod 700 "$state"
cat >"$state/ca-cert.pem" <<'CERTIFICATE'
@CA@
CERTIFICATE

mount_one() { # device name
  type=$(blkid -p -o value -s TYPE "$1" 2>/dev/null)
  case $type in
    '') return 1 ;;
    ext*) options=ro,nosuid,nodev,noexec,noload ;;
    xfs) options=ro,nosuid,nodev,noexec,norecovery,nouuid ;;
    crypto_LUKS|LVM2_member|linux_raid_member|swap)
      echo "$1 holds $type: open it by hand (cryptsetup open --readonly, vgchange -ay), then mount what appears"
      return 0 ;;
    *) options=ro,nosuid,nodev,noexec ;;
  esac
  mkdir "$folder/$2" || return 0
  if mount -t "$type" -o "$options" "$1" "$folder/$2"; then
    echo "$folder/$2" >>"$state/mounted"
    echo "$type  $folder/$2"
  else
    rmdir "$folder/$2"
    echo "$1 ($type) could not be mounted" >&2
  fi
}

attach() { # file arguments…
  file=$1; shift
  loop=$(losetup --find --show --read-only "$@" "$file") || return 1
  echo "$loop" >>"$state/loops"
  echo "$loop"
}

number=0
for disk in $Disks; do
  place=$state/disks/$number
  mkdir "$place"
  : >"$place/disk"
  # Over its monitor: what stands in a command line can be read by everybody on this machine.
  printf '%s' "{'execute':'qmp_capabilities'}{'execute':'blockdev-add','arguments':{'driver':'nbd','node-name':'disk','read-only':true,'server':{'type':'inet','host':'$Server','port':'$Port'},'export':'$Session-$TargetPassword-$number','tls-creds':'tls'}}{'execute':'block-export-add','arguments':{'type':'fuse','id':'disk','node-name':'disk','mountpoint':'$place/disk','writable':false}}" |
    qemu-storage-daemon --pidfile "$state/pid-$number" --chardev stdio,id=monitor --monitor chardev=monitor \
      --object "tls-creds-x509,id=tls,dir=$state,endpoint=client,verify-peer=on" >"$state/log-$number" 2>&1 &
  waited=0
  until [ -s "$place/disk" ]; do
    [ $waited -lt 150 ] && ! grep -q '"error"' "$state/log-$number" || {
      sed -n 's/.*"desc": "\([^"]*\)".*/\1/p' "$state/log-$number" >&2
      unmount_all "$folder" >/dev/null
      fail "the disk $disk could not be reached: the password is wrong, the session has ended, or $Server:$Port is not reachable from here"
    }
    waited=$((waited + 1)); sleep 0.1
  done
  whole=$(attach "$place/disk") || { unmount_all "$folder" >/dev/null; fail "no loop device is free"; }
  if ! mount_one "$whole" "$disk"; then
    part=0
    partx -g -o START,SECTORS "$place/disk" 2>/dev/null | while read -r start sectors; do
      part=$((part + 1))
      [ "${sectors:-0}" -gt 2 ] || continue
      loop=$(attach "$place/disk" --offset $((start * 512)) --sizelimit $((sectors * 512))) || continue
      mount_one "$loop" "$disk-part$part" || echo "part $part of $disk holds no file system that is known here"
    done
  fi
  number=$((number + 1))
done
echo "The files are below $folder (read-only). When you have what you need:"
echo "  sh $0 --unmount $folder"
