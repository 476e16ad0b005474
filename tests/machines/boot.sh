#!/usr/bin/env bash
# boot.sh SOURCE PYTHON_PREFIX ETC GROUP: a machine of its own for systemd, as process 1 of new
# namespaces.
#
# Everything that systemd or the service may write is covered first, so that nothing reaches the
# real file system. The service's source is at /opt/lunapass/src, its Python at
# /opt/lunapass/python, its configuration (ETC) at /etc/lunapass. The standard targets are empty:
# they would start the daemons of a real machine. All control groups are below GROUP: two machines
# that run at the same time would otherwise remove each other's.
set -euo pipefail
mount --make-rprivate /
mount -t tmpfs tmpfs /opt
mkdir -p /opt/lunapass/{src,python,etc} /opt/over/{etc,usr}/{upper,work}
mount --rbind "$1" /opt/lunapass/src
mount --rbind "$2" /opt/lunapass/python
mount --rbind "$3" /opt/lunapass/etc
for covered in /tmp /var/tmp /run /var/lib /var/log /dev/shm; do
    mount -t tmpfs tmpfs "$covered"
done
for folder in etc usr; do
    over=/opt/over/$folder
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$over/upper,workdir=$over/work" "/$folder"
done
mount -t tmpfs tmpfs /etc/systemd/system
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$4"
echo 0 >"/sys/fs/cgroup/$4/cgroup.procs"
mkdir -p /etc/lunapass
mount --rbind /opt/lunapass/etc /etc/lunapass
systemd-sysusers /opt/lunapass/src/deploy/systemd/lunapass.sysusers
for target in machine sysinit basic shutdown umount network sockets; do
    printf '[Unit]\nDefaultDependencies=no\n' >"/etc/systemd/system/$target.target"
done
mkdir /etc/systemd/system/service.d
cat >/etc/systemd/system/service.d/test.conf <<END
[Service]
Environment=PYTHONPATH=$PYTHONPATH PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/lunapass/python/lib
StandardOutput=append:/opt/lunapass/etc/log
StandardError=append:/opt/lunapass/etc/log
WatchdogSec=4
END
umount /sys/fs/cgroup
exec unshare --cgroup bash -c "mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
    exec /lib/systemd/systemd --system --unit=machine.target --log-target=null"
