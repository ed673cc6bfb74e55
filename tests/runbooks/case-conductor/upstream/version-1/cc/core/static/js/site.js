// The first field is where people begin.
document.addEventListener("DOMContentLoaded", function () {
    var field = document.querySelector("input:not([type=hidden])");
    if (field) {
        field.focus();
    }
});
