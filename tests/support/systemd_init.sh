# Process 1 of new namespaces: makes a root folder for systemd, and becomes systemd.
# Arguments: the root folder, then pairs of a folder and its place below the root, where it is mounted read-only.
set -eu
root=$1
shift
mount --bind "$root" "$root"
while [ $# -gt 0 ]; do
    mount -o rbind,ro "$1" "$root/$2"
    shift 2
done
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in full null random tty urandom zero; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t proc proc "$root/proc"
# systemd raises limits in /proc/sys, which would hold for the whole machine.
mount -o bind,ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
cd "$root"
pivot_root . old
umount -l old
exec env -i container=test PATH=/usr/sbin:/usr/bin SYSTEMD_UNIT_PATH=/etc/systemd/system \
    SYSTEMD_GENERATOR_PATH=/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/none \
    /usr/lib/systemd/systemd --system --unit=multi-user.target --log-target=journal
