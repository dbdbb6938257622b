/* SPDX-License-Identifier: MIT
 * Names and texts of negative return values: ours from SB_ERROR_MAP, the kernel's from the table below.
 * strerror() is not used: its text depends on the locale and its memory on the thread. */
#include "base/slice.h"

#include <errno.h>

enum { NAME_MAX_SIZE = 16 };

/* TOO_LARGE becomes "too-large" here, character by character, so that no second list of names can differ. */
#define LOWER(c) (char)((c) == '_' ? '-' : (c) >= 'A' && (c) <= 'Z' ? (c) + ('a' - 'A') : (c))
#define AT(s, i) LOWER((s)[(i) + 1 < sizeof(s) ? (i) : sizeof(s) - 1])
#define NAME(s)                                                                                                        \
	{AT(s, 0), AT(s, 1), AT(s, 2),  AT(s, 3),  AT(s, 4),  AT(s, 5),  AT(s, 6),  AT(s, 7),                          \
	 AT(s, 8), AT(s, 9), AT(s, 10), AT(s, 11), AT(s, 12), AT(s, 13), AT(s, 14), AT(s, 15)}

static const struct {
	int code;
	char name[NAME_MAX_SIZE];
	const char *text;
} ours[] = {
#define ROW(name, code, text) {code, NAME(#name), text},
	SB_ERROR_MAP(ROW)
#undef ROW
};

#define CHECK(name, code, text) _Static_assert((code) < -4095 && sizeof(#name) - 1 < NAME_MAX_SIZE, #name);
SB_ERROR_MAP(CHECK)
#undef CHECK

static const struct {
	int err;
	const char *name, *text;
} kernels[] = {
#define ROW(err, text) {err, #err, text}
	ROW(EPERM, "not permitted"),
	ROW(ENOENT, "no such file"),
	ROW(EINTR, "interrupted by a signal"),
	ROW(EIO, "input or output failed"),
	ROW(ENXIO, "no such device or address"),
	ROW(E2BIG, "the arguments are too long"),
	ROW(EBADF, "not an open file descriptor"),
	ROW(EAGAIN, "it would have to wait"),
	ROW(ENOMEM, "out of memory"),
	ROW(EACCES, "permission denied"),
	ROW(EFAULT, "bad address"),
	ROW(EBUSY, "busy"),
	ROW(EEXIST, "it exists"),
	ROW(ENODEV, "no such device"),
	ROW(ENOTDIR, "not a folder"),
	ROW(EISDIR, "it is a folder"),
	ROW(EINVAL, "an argument is invalid"),
	ROW(ENFILE, "too many open files in the system"),
	ROW(EMFILE, "too many open files"),
	ROW(ENOTTY, "not a terminal"),
	ROW(EFBIG, "the file is too large"),
	ROW(ENOSPC, "no space left"),
	ROW(ESPIPE, "the file has no position"),
	ROW(EROFS, "the file system is read-only"),
	ROW(EPIPE, "the other end is closed"),
	ROW(EDOM, "outside the domain of the function"),
	ROW(ERANGE, "the result is out of range"),
	ROW(EDEADLK, "it would wait for itself"),
	ROW(ENAMETOOLONG, "the name is too long"),
	ROW(ENOSYS, "the kernel does not have it"),
	ROW(ELOOP, "too many symbolic links"),
	ROW(EPROTO, "protocol error"),
	ROW(EOVERFLOW, "the value is too large for its type"),
	ROW(EILSEQ, "malformed characters"),
	ROW(ENOTSOCK, "not a socket"),
	ROW(EDESTADDRREQ, "a destination is needed"),
	ROW(EMSGSIZE, "the message is too large"),
	ROW(EPROTOTYPE, "wrong protocol for the socket"),
	ROW(ENOPROTOOPT, "no such socket option"),
	ROW(EPROTONOSUPPORT, "the protocol is not supported"),
	ROW(ESOCKTNOSUPPORT, "the socket type is not supported"),
	ROW(EOPNOTSUPP, "not supported"),
	ROW(EPFNOSUPPORT, "the protocol family is not supported"),
	ROW(EAFNOSUPPORT, "the address family is not supported"),
	ROW(EADDRINUSE, "the address is in use"),
	ROW(EADDRNOTAVAIL, "the address is not available"),
	ROW(ENETDOWN, "the network is down"),
	ROW(ENETUNREACH, "the network is unreachable"),
	ROW(ENETRESET, "the network dropped the connection"),
	ROW(ECONNABORTED, "the connection was aborted"),
	ROW(ECONNRESET, "the peer reset the connection"),
	ROW(ENOBUFS, "no buffer space"),
	ROW(EISCONN, "already connected"),
	ROW(ENOTCONN, "not connected"),
	ROW(ESHUTDOWN, "sending after shutdown"),
	ROW(ETIMEDOUT, "timed out"),
	ROW(ECONNREFUSED, "connection refused"),
	ROW(EHOSTDOWN, "the host is down"),
	ROW(EHOSTUNREACH, "no route to the host"),
	ROW(EALREADY, "already under way"),
	ROW(EINPROGRESS, "under way"),
	ROW(ESTALE, "stale file handle"),
	ROW(EDQUOT, "disk quota exceeded"),
	ROW(ECANCELED, "cancelled"),
	ROW(ETIME, "the timer expired"),
#undef ROW
};

const char *sb_errname(int err)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (ours[i].code == err)
			return ours[i].name;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (-kernels[i].err == err)
			return kernels[i].name;
	return err < 0 ? "unknown-error" : "no-error";
}

const char *sb_strerror(int err)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (ours[i].code == err)
			return ours[i].text;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (-kernels[i].err == err)
			return kernels[i].text;
	return err < 0 ? "an error without a name" : "no error";
}
