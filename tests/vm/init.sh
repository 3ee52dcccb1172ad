#!/bin/busybox sh
# The guest's first process: loads the modules, lays a writable layer over the
# host's root, runs the tests in it and leaves their status in the shared folder.
/bin/busybox mkdir -p /proc /sys /dev /host /layer /root
/bin/busybox --install -s /bin
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

while read -r module options; do
    # shellcheck disable=SC2086 - the parameters are words
    insmod "/modules/$module" $options || echo "INIT: module $module was refused"
done < /modules/order

# cache=loose: nothing writes to the host's root while the guest runs.
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /host
mount -t tmpfs -o size=40% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root

cd /root && mkdir -p proc sys dev run result
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t devtmpfs devtmpfs dev
mkdir -p dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs run
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 sys/fs/cgroup
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 result result

echo "INIT: ready after $(cut -d' ' -f1 /proc/uptime) s"
chroot /root /bin/sh /result/command > result/output 2>&1
echo $? > result/status
echo "INIT: done after $(cut -d' ' -f1 /proc/uptime) s"
poweroff -f
