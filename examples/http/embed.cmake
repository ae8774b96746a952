# Writes a page as a C array, and the policy that lets a browser run the page's own style and
# script, known by their hashes, and nothing else: cmake -DPAGE=... -DHEADER=... -P embed.cmake

# hash_of(NAME ELEMENT): the SHA-256 of what is within the element, in base64.
function(hash_of name element)
    string(FIND "${page}" "<${element}>" begin)
    string(FIND "${page}" "</${element}>" end)
    string(LENGTH "<${element}>" tag)
    math(EXPR begin "${begin} + ${tag}")
    math(EXPR length "${end} - ${begin}")
    string(SUBSTRING "${page}" ${begin} ${length} text)
    string(SHA256 hash "${text}")

    set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
    set(base64 "")
    foreach(at RANGE 0 60 6) # three bytes make four digits; the 32nd is followed by a zero
        string(SUBSTRING "${hash}00" ${at} 6 bytes)
        foreach(shift 18 12 6 0)
            math(EXPR digit "0x${bytes} >> ${shift} & 63")
            string(SUBSTRING ${alphabet} ${digit} 1 digit)
            string(APPEND base64 ${digit})
        endforeach()
    endforeach()
    string(REGEX REPLACE ".$" "=" base64 "${base64}")
    set(${name} ${base64} PARENT_SCOPE)
endfunction()

file(READ ${PAGE} page)
hash_of(style style)
hash_of(script script)
file(READ ${PAGE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${HEADER} "static const char top_policy[] = \"default-src 'none'; connect-src 'self'; img-src data:; \"
    \"style-src 'sha256-${style}'; script-src 'sha256-${script}'; \"
    \"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\";
static const unsigned char top_page[] = {${bytes}};
")
