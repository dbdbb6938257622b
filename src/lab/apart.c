/* SPDX-License-Identifier: MIT
 * A network of an experiment's own. See apart.h. */
#include "lab/apart.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

const char lab_home[] = "198.51.100.1", lab_away[] = "203.0.113.77";

/* Where the way to lab_away leads when it is nobody's: a bridge that nothing is plugged into. */
static char nowhere[] = "nowhere";

static struct sockaddr address_of(const char *ip)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr any;

	inet_pton(AF_INET, ip, &in.sin_addr);
	memcpy(&any, &in, sizeof(any));
	return any;
}

static bool control(struct lab *lab, unsigned long request, void *arg, const char *what)
{
	int fd = lab_socket(NULL, "control", AF_INET, SOCK_DGRAM);
	int r = ioctl(fd, request, arg) < 0 ? -errno : 0;

	lab_close(NULL, fd);
	lab_say(&lab->calls, "ioctl(%s) = %s", what, r < 0 ? sb_errname(r) : "0");
	return r == 0;
}

/* Loopback has these two beside its own. */
static bool add_home(struct lab *lab)
{
	struct ifreq alias = {.ifr_name = "lo:1", .ifr_addr = address_of(lab_home)};

	return control(lab, SIOCSIFADDR, &alias, "SIOCSIFADDR, lo is 198.51.100.1 too");
}

static bool add_away(struct lab *lab)
{
	struct ifreq alias = {.ifr_name = "lo:2", .ifr_addr = address_of(lab_away)};

	return control(lab, SIOCSIFADDR, &alias, "SIOCSIFADDR, and 203.0.113.77");
}

static bool remove_away(struct lab *lab)
{
	struct ifreq down = {.ifr_name = "lo:2"};

	return control(lab, SIOCSIFFLAGS, &down, "SIOCSIFFLAGS, nobody is 203.0.113.77 now");
}

static struct rtentry way_to_nowhere(void)
{
	return (struct rtentry){
		.rt_dst = address_of(lab_away),
		.rt_genmask = address_of("255.255.255.255"),
		.rt_flags = RTF_UP | RTF_HOST,
		.rt_dev = nowhere,
	};
}

bool lab_take_away(struct lab *lab)
{
	struct rtentry way = way_to_nowhere();

	return lab_must(lab,
			remove_away(lab) && control(lab, SIOCADDRT, &way, "SIOCADDRT, the way there leads nowhere"),
			"a machine can be taken away");
}

bool lab_bring_back(struct lab *lab)
{
	struct rtentry way = way_to_nowhere();

	return lab_must(lab, control(lab, SIOCDELRT, &way, "SIOCDELRT, no longer") && add_away(lab),
			"and be brought back");
}

/* This process gets a network with nothing in it but loopback, which is down. Root may, and on most systems anybody who
 * makes himself the root of a namespace of users first. */
static bool move_out(struct lab *lab)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	struct ifreq bridge = {.ifr_flags = IFF_UP | IFF_NOARP}; /* it asks nobody who has the address */

	if (unshare(CLONE_NEWNET) == 0)
		lab_say(&lab->calls, "unshare(CLONE_NEWNET) = 0");
	else if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		lab_say(&lab->calls, "unshare(CLONE_NEWUSER | CLONE_NEWNET) = 0");
	else
		return false;
	snprintf(bridge.ifr_name, sizeof(bridge.ifr_name), "%s", nowhere);
	return control(lab, SIOCSIFFLAGS, &lo, "SIOCSIFFLAGS, lo is up") && add_home(lab) && add_away(lab) &&
	       control(lab, SIOCBRADDBR, nowhere, "SIOCBRADDBR, a bridge with no port") &&
	       control(lab, SIOCSIFFLAGS, &bridge, "SIOCSIFFLAGS, it is up");
}

/* Ends the process: 0 when *note has what it noted. */
static void run_there(struct lab *lab, struct lab *note, void (*run)(struct lab *lab))
{
	if (!move_out(lab))
		_exit(1); /* tidy: allow(output): the process has no other end */
	run(lab);
	*note = *lab;
	_exit(0); /* tidy: allow(output): as above */
}

bool lab_run_apart(struct lab *lab, void (*run)(struct lab *lab))
{
	struct lab *note = mmap(NULL, sizeof(*note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid;

	if (note == MAP_FAILED)
		return false;
	pid = fork();
	if (pid == 0)
		run_there(lab, note, run);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
		size_t opens = lab->opens;

		*lab = *note;
		lab->opens = opens; /* what was opened there has gone with its process */
	}
	munmap(note, sizeof(*note));
	return status == 0;
}
