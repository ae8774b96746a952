# The source files of the library, by room. Those of a system are empty on others: each asks
# src/os/config.h, where PLX_OS arrives.

set(POLLUX_SOURCES
    src/core/attach.c
    src/core/channel.c
    src/core/describe.c
    src/core/error.c
    src/core/gate.c
    src/core/memory.c
    src/core/pages.c
    src/core/poller.c
    src/core/post.c
    src/core/queue.c
    src/core/ready.c
    src/core/registry.c
    src/core/table.c
    src/core/timers.c
    src/core/turn.c
    src/core/wait.c
    src/core/wake.c
    src/core/waker.c
    src/core/wheel.c
    src/backend/backend.c
    src/backend/epoll.c
    src/backend/poll.c
    src/source/names.c
    src/source/paths.c
    src/source/paths_inotify.c
    src/source/paths_listing.c
    src/source/paths_scan.c
    src/source/paths_tree.c
    src/source/paths_walk.c
    src/source/processes.c
    src/source/record.c
    src/source/signals.c
    src/os/alarm_linux.c
    src/os/alarm_none.c
    src/os/barrier_linux.c
    src/os/barrier_none.c
    src/os/clock_posix.c
    src/os/fork_posix.c
    src/os/linux.c
    src/os/lock_futex.c
    src/os/lock_posix.c
    src/os/pidfd_linux.c
    src/os/pidfd_none.c
    src/os/posix.c
    src/os/process_posix.c
    src/os/process_win32.c
    src/os/signals_posix.c
    src/os/signals_win32.c
    src/os/sources_win32.c)

list(TRANSFORM POLLUX_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/)
