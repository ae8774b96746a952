/* SPDX-License-Identifier: MIT */
/* One clear sentence for each error that the library returns. */
#include "os/config.h"

#include <pollux.h>

static const struct {
    int code;
    const char *text;
} errors[] = {
    {EACCES, "The system does not allow it: permission is missing."},
    {EAGAIN, "Nothing is there now; try again later."},
    {EBADF, "The descriptor is not open."},
    {ECANCELED, "The poller was closed while this call waited."},
    {ECHILD, "The poller belongs to the parent of this process, or the process is not a child."},
    {EEXIST, "The descriptor is registered already."},
    {EINTR, "A signal handler interrupted the wait."},
    {EINVAL, "An argument has no meaning here, or contradicts another."},
    {ELOOP, "Pollers are nested in a circle or too deep, or a path has too many symbolic links."},
    {EMFILE, "The process has too many open descriptors, or the user too many inotify objects."},
    {ENFILE, "The system has too many open files."},
    {ENAMETOOLONG, "The path, or a name in it, is too long."},
    {ENOENT, "The descriptor is not registered, or there is no such path, timer or watch."},
    {ENOMEM, "There is not enough memory."},
    {ENOSPC, "The user's limit of registrations (fs.epoll.max_user_watches) or of watched files and folders "
             "(fs.inotify.max_user_watches) is reached."},
    {ENOSYS, "The system call is missing here."},
    {ENOTDIR, "A part of the path is not a folder."},
    {ENOTSUP, "This backend or system does not have what was asked for."},
    {EPERM, "It is always ready and cannot be waited for, or the system denied the call."},
    {EPIPE, "The other end is gone."},
    {ESRCH, "There is no such process."},
    {ETIMEDOUT, "The deadline has passed."},
    {PLX_ESHUTDOWN, "The poller is closed."},
};

const char *plx_strerror(int rc)
{
    if (rc >= 0)
        return "Success.";
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (rc == -errors[i].code)
            return errors[i].text;
    return "The system returned an error that has no sentence here.";
}
