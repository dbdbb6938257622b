/* SPDX-License-Identifier: MIT
 *
 * Two kernels in one program: each call goes to the one whose struct sb_sys it is given. Both are the same sources as
 * anywhere else, compiled once more under other names (fuzz/CMakeLists.txt), and the server is the same objects.
 */
#ifndef SB_FUZZ_SYS_BOTH_H
#define SB_FUZZ_SYS_BOTH_H

#include "sys/sys.h"

struct sb_sys *sys_real(void);

/* Called with each descriptor that is about to be closed on the real one, unless it is NULL. */
extern void (*sys_real_on_close)(int fd);

#endif
